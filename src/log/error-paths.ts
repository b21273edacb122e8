import type { Entry } from './branch.ts';

/** A chain of causes longer than this, or one that loops, is not followed further. */
const maximumCauses = 16;

const paths = new WeakMap<object, readonly Entry[]>();

/** Remembers the path on which `error` was thrown, unless it or one of its causes has one from deeper inside. */
export function attachPath(error: unknown, path: readonly Entry[]): void {
  if (isObject(error)) paths.set(error, attachedPath(error) ?? path);
}

/** The path on which `error`, or else the nearest of its causes that has one, was thrown. */
export function attachedPath(error: unknown): readonly Entry[] | undefined {
  let cause = error;
  for (let depth = 0; depth < maximumCauses && isObject(cause); depth += 1) {
    const path = paths.get(cause);
    if (path !== undefined) return path;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
