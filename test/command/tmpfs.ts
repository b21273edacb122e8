import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/**
 * Mounts a file system in memory of that size, such as `16m`, until it is disposed of. Where that cannot be done there
 * is nothing: then the test counts as skipped, and has to return.
 */
export function mountTmpfs(t: TestContext, path: string, size: string): Disposable | undefined {
  return mountInMemory(t, path, ['-t', 'tmpfs', '-o', `size=${size}`]);
}

/** The same of any size, on which files have no holes. */
export function mountRamfs(t: TestContext, path: string): Disposable | undefined {
  return mountInMemory(t, path, ['-t', 'ramfs']);
}

function mountInMemory(t: TestContext, path: string, options: readonly string[]): Disposable | undefined {
  try {
    execFileSync('mount', [...options, 'varve-test', path], { stdio: 'pipe' });
  } catch (error) {
    t.skip(`no file system can be mounted here: ${String((error as { stderr: unknown }).stderr).trim()}`);
    return undefined;
  }
  return { [Symbol.dispose]: () => execFileSync('umount', [path]) };
}
