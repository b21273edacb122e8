import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * The directory where what is true until the next boot is kept: which disks are attached,
 * which commands can be told that it is enough.
 *
 * Source: XDG Base Directory Specification 0.8, `XDG_RUNTIME_DIR`; Filesystem Hierarchy Standard 3.0, `/run`.
 */
export function runPath(): string {
  const { VARVE_RUN: given = '', XDG_RUNTIME_DIR: runtime = '' } = process.env;
  if (given.startsWith('/')) return given;
  const user = process.geteuid?.();
  if (user === 0) return '/run/varve';
  return runtime.startsWith('/') ? join(runtime, 'varve') : join(tmpdir(), `varve-run-${user}`);
}
