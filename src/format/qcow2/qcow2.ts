import type { WritableFormat } from '../image-format.ts';
import { checkQcow2 } from './check/check-qcow2.ts';
import { createQcow2 } from './create-qcow2.ts';
import { qcow2Magic } from './header.ts';
import { measureQcow2 } from './measure-qcow2.ts';
import { openQcow2 } from './open-qcow2.ts';
import { applyQcow2Snapshot, createQcow2Snapshot, deleteQcow2Snapshot } from './snapshots/edit-snapshots.ts';
import { openQcow2Snapshot } from './snapshots/open-snapshot.ts';
import { writeQcow2 } from './write-qcow2.ts';

/** QEMU's copy-on-write format, versions 2 and 3. */
export const qcow2Format: WritableFormat = {
  name: 'qcow2',
  extensions: ['qcow2', 'qcow'],
  probe(head) {
    if (head.length < 8) return 0;
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    // Version 1 is the older format qcow, which shares the magic.
    return view.getUint32(0) === qcow2Magic && view.getUint32(4) >= 2 ? 100 : 0;
  },
  open: openQcow2,
  write: writeQcow2,
  create: createQcow2,
  check: checkQcow2,
  measure: measureQcow2,
  internalSnapshots: {
    open: openQcow2Snapshot,
    create: createQcow2Snapshot,
    apply: applyQcow2Snapshot,
    delete: deleteQcow2Snapshot,
  },
};
