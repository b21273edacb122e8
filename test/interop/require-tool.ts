import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

/** Where a program is, by PATH and the directories of system programs; undefined where it is not installed. */
function findTool(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

/**
 * The path of somebody else's program; where it is not installed the test counts as skipped for that reason, and has
 * to return: `const path = requireTool(t, 'qemu-img'); if (path === undefined) return;`
 */
export function requireTool(t: TestContext, name: string): string | undefined {
  const path = findTool(name);
  if (path === undefined) t.skip(missingTool(name));
  return path;
}

/** For `describe(…, { skip })`: false where all of `names` are installed, else the reason. */
export function skipWithout(...names: string[]): string | false {
  const missing = names.find((name) => findTool(name) === undefined);
  return missing === undefined ? false : missingTool(missing);
}

function missingTool(name: string): string {
  return `${name} is not installed`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
