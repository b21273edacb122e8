import { type BeginBoot, type BegunBoot, beginBoot } from '../../../image/machine/begin-boot.ts';
import {
  type CommitMachine,
  type CommittedMachine,
  commitMachine,
  coverMachine,
  requireCommittable,
} from '../../../image/machine/commit-machine.ts';
import { dropMachineOverlays } from '../../../image/machine/machine-overlays.ts';
import type { MachineRecord } from '../../../store/machine/machine-record.ts';
import { removeMachineRecord, writeMachineRecord } from '../../../store/machine/machine-records.ts';
import type { StackOwner } from '../../../store/overlay/edit-overlays.ts';
import { openOverlay } from '../../../store/overlay/overlay-files.ts';
import type { Store } from '../../../store/store.ts';

/** What waits for the disk, and is done away from those who serve requests. */
export type MachineWork =
  | { readonly kind: 'begin'; readonly begin: BeginBoot; readonly record: MachineRecord }
  | { readonly kind: 'cover'; readonly stack: StackOwner }
  | { readonly kind: 'settle'; readonly stack: StackOwner }
  | { readonly kind: 'require'; readonly commit: CommitMachine }
  | { readonly kind: 'commit'; readonly commit: CommitMachine }
  | { readonly kind: 'drop'; readonly mac: string; readonly image: string | undefined }
  | { readonly kind: 'record'; readonly records: readonly MachineRecord[] }
  | { readonly kind: 'forget'; readonly mac: string };

/** What each comes to. */
export interface MachineWorkResults {
  readonly begin: BegunBoot;
  /** The id of the layer on top. */
  readonly cover: string;
  readonly settle: undefined;
  readonly require: undefined;
  readonly commit: CommittedMachine;
  /** The images whose overlays were dropped. */
  readonly drop: string[];
  readonly record: undefined;
  readonly forget: undefined;
}

/** Does it. @throws VarveError */
export async function performWork(store: Store, work: MachineWork, packing: 'in threads' | 'here'): Promise<unknown> {
  switch (work.kind) {
    case 'begin':
      return await begin(store, work.begin, work.record);
    case 'cover':
      return coverMachine(store, work.stack);
    case 'settle':
      return await flushTop(store, work.stack);
    case 'require':
      return await requireCommittable(store, work.commit);
    case 'commit':
      return await commitMachine(store, work.commit, { packing });
    case 'drop':
      return dropMachineOverlays(store, work.mac, work.image);
    case 'record':
      for (const record of work.records) writeMachineRecord(store, record);
      return undefined;
    case 'forget':
      dropMachineOverlays(store, work.mac);
      return removeMachineRecord(store, work.mac);
  }
}

async function begin(store: Store, options: BeginBoot, record: MachineRecord): Promise<BegunBoot> {
  const begun = await beginBoot(store, options);
  writeMachineRecord(store, { ...record, boot: begun.boot });
  return begun;
}

/** Who wrote to it may have died before all of it was durable. */
async function flushTop(store: Store, { image, owner }: StackOwner): Promise<undefined> {
  const top = store.overlays.stack(image, owner).at(-1);
  if (top === undefined) return;
  await using layer = await openOverlay(store.path, top.id);
  await layer.flush();
}
