import type { FileChange } from '../file-change.ts';
import { lineChanges } from '../text-patch.ts';

/** Lines of a file below /etc that are new or gone, but for empty ones and comments. */
export interface ConfigurationChange {
  readonly change: FileChange['kind'];
  readonly path: string;
  readonly deleted: readonly string[];
  readonly added: readonly string[];
}

/** What has its own place among the facts, is made by programs, or nobody should see. */
const leftOut =
  /^\/etc\/(?:g?shadow|passwd|group|sub[ug]id)-?$|^\/etc\/(?:ld\.so\.cache|.*\.(?:pem|key|crt|0|db))$|\/ssh_host_[^/]*key$|^\/etc\/ssl\/certs\//;
const comment = /^\s*(?:[#;].*)?$/;

/** The lines of settings that differ, by file. */
export async function configurationChanges(changes: readonly FileChange[]): Promise<ConfigurationChange[]> {
  const found: ConfigurationChange[] = [];
  for (const change of changes) {
    const { kind, path, before, after } = change;
    if (!path.startsWith('/etc/') || leftOut.test(path)) continue;
    if ((after ?? before)!.stat.kind !== 'file') continue;
    const lines = await lineChanges(change);
    if (lines === undefined) continue;
    const [deleted, added] = [lines.deleted, lines.added].map((all) => all.filter((line) => !comment.test(line)));
    if (deleted!.length + added!.length > 0) found.push({ change: kind, path, deleted: deleted!, added: added! });
  }
  return found;
}
