import type { FileSource } from './file-source.ts';

/**
 * The files of several sources. The first that knows a name answers for it: also by `gone`, and by what it throws, so that
 * a name one source refuses is not served by the next.
 */
export function firstOf(sources: readonly FileSource[]): FileSource {
  return {
    async open(name, client) {
      for (const source of sources) {
        const found = await source.open(name, client);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** The files of `source` by names that have `prefix` before them, a path such as `loader/`; any `/` a name begins with is left out. */
export function under(prefix: string, source: FileSource): FileSource {
  const beginning = `${withoutSlash(prefix).replace(/\/+$/, '')}/`;
  return {
    open(name, client) {
      const plain = withoutSlash(name);
      return plain.startsWith(beginning) ? source.open(plain.slice(beginning.length), client) : undefined;
    },
  };
}

function withoutSlash(name: string): string {
  return name.replace(/^\/+/, '');
}
