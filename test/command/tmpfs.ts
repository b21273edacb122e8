import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/**
 * Mounts a file system in memory of that size, such as `16m`, until it is disposed of. Where that cannot be done there
 * is nothing: then the test counts as skipped, and has to return.
 */
export function mountTmpfs(t: TestContext, path: string, size: string): Disposable | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'varve-test', path], { stdio: 'pipe' });
  } catch (error) {
    t.skip(`no file system can be mounted here: ${String((error as { stderr: unknown }).stderr).trim()}`);
    return undefined;
  }
  return { [Symbol.dispose]: () => execFileSync('umount', [path]) };
}
