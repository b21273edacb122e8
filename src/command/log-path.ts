import { VarveError } from '../base/varve-error.ts';
import { pathHistory } from '../changes/path-history.ts';
import type { Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import type { CommandContext } from './framework/command-context.ts';
import { changesJson, changesTable, printPatches } from './output/file-changes.ts';
import { snapshotJson } from './output/snapshot-json.ts';
import { findOrigins } from './output/snapshot-origins.ts';
import { snapshotLines, snapshotOneLine } from './output/snapshot-text.ts';

/** What is shown of a path's history. */
export interface PathLogOptions {
  readonly path: string;
  /** How many snapshots are shown at most. */
  readonly most: number;
  /** All snapshots of the image. */
  readonly all: readonly Snapshot[];
  readonly oneline?: boolean;
  readonly patch?: boolean;
}

/** What `varve log` prints of a file in a disk: the snapshots in which it changed, and how, as they are found. */
export async function showPathLog(
  context: CommandContext,
  store: Store,
  snapshots: readonly Snapshot[],
  { path, most, all, oneline = false, patch = false }: PathLogOptions,
): Promise<void> {
  if (!path.startsWith('/')) throw new VarveError('INVALID', `a path in a disk begins with a /: write -- /${path}`);
  const signal = await context.startWork();
  const origins = findOrigins(all);
  const shown: object[] = [];
  let count = 0;
  if (most === 0) return;
  for await (const { snapshot, changes } of pathHistory(store, snapshots, path, signal)) {
    count += 1;
    if (context.json) shown.push({ ...snapshotJson(snapshot), changes: await changesJson(changes, patch) });
    else {
      const about = oneline ? [snapshotOneLine(snapshot)] : [...snapshotLines(snapshot, origins.get(snapshot)), ''];
      context.print((count > 1 && !oneline ? '\n' : '') + about.join('\n'));
      if (patch) await printPatches(changes);
      else if (!oneline) context.print(changesTable(changes));
    }
    if (count === most) break;
  }
  if (context.json) context.show(shown, () => '');
}
