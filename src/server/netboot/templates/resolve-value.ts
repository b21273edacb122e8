import fs from 'node:fs';
import { isVarveError, systemError, VarveError } from '../../../base/varve-error.ts';
import type { TemplateValues } from './template-values.ts';

const largestSecret = 65536;

/**
 * What a name in a template stands for.
 *
 * @throws VarveError `INVALID`, with a message that goes on after the file and line, and has no secret in it
 */
export function resolveValue(name: string, { machine, server, variables, secrets }: TemplateValues): string {
  const [group, key] = [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)];
  switch (group) {
    case 'machine':
      return ownValue(group, key, { ...machine });
    case 'server':
      return ownValue(group, key, { ...server });
    case 'variables':
      return ownValue(group, key, variables);
    case 'secret':
      return readSecret(key, ownValue(group, key, secrets));
    default:
      throw new VarveError('INVALID', `there is no ${name}: names begin with machine, server, variables or secret`);
  }
}

/** Whether what a name stands for must not be seen. */
export function isSecret(name: string): boolean {
  return name.startsWith('secret.');
}

function ownValue(group: string, key: string, values: Readonly<Record<string, string | undefined>>): string {
  const value = Object.hasOwn(values, key) ? values[key] : undefined;
  if (value !== undefined) return value;
  if (Object.hasOwn(values, key)) throw new VarveError('INVALID', `this machine has no ${group}.${key}`);
  const names = Object.keys(values).map((each) => `${group}.${each}`);
  const known = names.length === 0 ? `none with ${group}` : names.slice(0, 20).join(', ');
  throw new VarveError('INVALID', `there is no ${group}.${key} for this machine; there is ${known}`);
}

function readSecret(name: string, path: string): string {
  try {
    const { size } = fs.statSync(path);
    if (size > largestSecret) throw new VarveError('INVALID', `the file of secret ${name} has more than 64 KiB`);
    return new TextDecoder('utf-8', { fatal: true }).decode(fs.readFileSync(path)).replace(/\r?\n$/, '');
  } catch (error) {
    const cause = systemError(`read the file of secret ${name}`, error);
    if (isVarveError(cause)) throw new VarveError('INVALID', cause.message, { cause });
    throw new VarveError('INVALID', `the file of secret ${name} is no UTF-8 text`);
  }
}
