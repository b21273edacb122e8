import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The bytes of all files in a directory: what they hold, not what the file system rounds it up to. */
export function directorySize(path: string): number {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}
