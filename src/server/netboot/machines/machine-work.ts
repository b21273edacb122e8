import { type ErrorCode, VarveError } from '../../../base/varve-error.ts';
import { type BeginBoot, type BegunBoot, beginBoots } from '../../../image/machine/begin-boots.ts';
import {
  type CommitMachine,
  type CommittedMachine,
  commitMachine,
  coverMachine,
  requireCommittable,
} from '../../../image/machine/commit-machine.ts';
import { dropMachineOverlays } from '../../../image/machine/machine-overlays.ts';
import type { MachineRecord } from '../../../store/machine/machine-record.ts';
import { removeMachineRecord, writeMachineRecords } from '../../../store/machine/machine-records.ts';
import type { StackOwner } from '../../../store/overlay/edit-overlays.ts';
import { openOverlay } from '../../../store/overlay/overlay-files.ts';
import type { Store } from '../../../store/store.ts';

/** A boot to begin, and what is kept of the machine with it. */
interface RecordedBegin {
  readonly begin: BeginBoot;
  readonly record: MachineRecord;
}

/** Why a boot did not begin: errors of ours do not come whole from a thread. */
interface BeginFailure {
  readonly failure: { readonly code: ErrorCode; readonly message: string };
}

/** What waits for the disk, and is done away from those who serve requests. */
export type MachineWork =
  | { readonly kind: 'begin'; readonly boots: readonly RecordedBegin[] }
  | { readonly kind: 'cover'; readonly stack: StackOwner }
  | { readonly kind: 'settle'; readonly stack: StackOwner }
  | { readonly kind: 'require'; readonly commit: CommitMachine }
  | { readonly kind: 'commit'; readonly commit: CommitMachine }
  | { readonly kind: 'drop'; readonly mac: string; readonly image: string | undefined }
  | { readonly kind: 'record'; readonly records: readonly MachineRecord[] }
  | { readonly kind: 'forget'; readonly mac: string };

/** What each comes to. */
export interface MachineWorkResults {
  /** For each, in order. */
  readonly begin: (BegunBoot | BeginFailure)[];
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
      return await begin(store, work.boots);
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
      return writeMachineRecords(store, work.records);
    case 'forget':
      dropMachineOverlays(store, work.mac);
      return removeMachineRecord(store, work.mac);
  }
}

async function begin(store: Store, boots: readonly RecordedBegin[]): Promise<(BegunBoot | BeginFailure)[]> {
  const begun = await beginBoots(
    store,
    boots.map((each) => each.begin),
  );
  const records = begun.flatMap((each, index) =>
    each instanceof VarveError ? [] : [{ ...boots[index]!.record, boot: each.boot }],
  );
  writeMachineRecords(store, records);
  return begun.map((each) =>
    each instanceof VarveError ? { failure: { code: each.code, message: each.message } } : each,
  );
}

/** Who wrote to it may have died before all of it was durable. */
async function flushTop(store: Store, { image, owner }: StackOwner): Promise<undefined> {
  const top = store.overlays.stack(image, owner).at(-1);
  if (top === undefined) return;
  await using layer = await openOverlay(store.path, top.id);
  await layer.flush();
}
