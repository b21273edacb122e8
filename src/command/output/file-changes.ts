import type { ComparedFile, FileChange } from '../../changes/file-change.ts';
import type { FileStat } from '../../filesystem/file-system.ts';
import { modeDigits } from './file-json.ts';
import { timeJson } from './file-text.ts';
import { formatTable } from './format-table.ts';
import { nameText } from './name-text.ts';
import { safeText } from './safe-text.ts';
import { writeBytes } from './write-bytes.ts';

/** What became of files, for programs. */
export async function changesJson(changes: readonly FileChange[], withPatch: boolean): Promise<object[]> {
  const { textPatch } = await import('../../changes/text-patch.ts');
  const found: object[] = [];
  for (const change of changes) {
    const patch = withPatch ? Buffer.from(await textPatch(change), 'latin1').toString() : undefined;
    found.push({ ...changeJson(change), patch });
  }
  return found;
}

function changeJson({ kind, path, differences, before, after }: FileChange): object {
  const oldPath = kind === 'renamed' ? before!.path : undefined;
  return { change: kind, path, oldPath, differences, before: fileJson(before), after: fileJson(after) };
}

function fileJson(file: ComparedFile | undefined): object | undefined {
  if (file === undefined) return undefined;
  const { kind, size, uid, gid, modified } = file.stat;
  return { kind, size, mode: modeDigits(file.stat), uid, gid, modified: timeJson(modified) };
}

/** Prints changes as patches: bytes as they are where a program reads them; a terminal gets nothing to obey. */
export async function printPatches(changes: readonly FileChange[]): Promise<void> {
  const { textPatch } = await import('../../changes/text-patch.ts');
  for (const change of changes) {
    const bytes = Buffer.from(await textPatch(change), 'latin1');
    writeBytes(process.stdout.isTTY ? Buffer.from(safeText(bytes.toString())) : bytes);
  }
}

const columns = [{ title: 'CHANGE' }, { title: 'WHAT' }, { title: 'FILE' }] as const;

/** Changes for people: what became of which file. */
export function changesTable(changes: readonly FileChange[]): string {
  return formatTable(
    columns,
    changes.map((change) => [change.kind, whatOf(change), namesOf(change)]),
  );
}

/** What differs; of what is new or gone, what it is. */
function whatOf({ differences, before, after }: FileChange): string {
  if (before === undefined || after === undefined) return kindNames[(after ?? before)!.stat.kind];
  return differences.join(', ');
}

/** What kinds of files are called. */
export const kindNames: Readonly<Record<FileStat['kind'], string>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'symlink',
  block: 'block device',
  character: 'character device',
  fifo: 'pipe',
  socket: 'socket',
};

/** A file's path; of one that was renamed, both. */
export function namesOf({ kind, path, before }: FileChange): string {
  return kind === 'renamed' ? `${nameText(before!.path)} -> ${nameText(path)}` : nameText(path);
}
