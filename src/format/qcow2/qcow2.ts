import type { WritableFormat } from '../image-format.ts';
import { qcow2Magic } from './header.ts';

/** QEMU's copy-on-write format, versions 2 and 3. What reads and writes it is loaded by whoever does. */
export const qcow2Format: WritableFormat = {
  name: 'qcow2',
  extensions: ['qcow2', 'qcow'],
  probe(head) {
    if (head.length < 8) return 0;
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    // Version 1 is the older format qcow, which shares the magic.
    return view.getUint32(0) === qcow2Magic && view.getUint32(4) >= 2 ? 100 : 0;
  },
  open: async (...given) => await (await import('./open-qcow2.ts')).openQcow2(...given),
  write: async (...given) => await (await import('./write-qcow2.ts')).writeQcow2(...given),
  create: async (...given) => await (await import('./create-qcow2.ts')).createQcow2(...given),
  check: async (...given) => await (await import('./check/check-qcow2.ts')).checkQcow2(...given),
  measure: async (...given) => await (await import('./measure-qcow2.ts')).measureQcow2(...given),
  internalSnapshots: {
    open: async (...given) => await (await import('./snapshots/open-snapshot.ts')).openQcow2Snapshot(...given),
    create: async (...given) => await (await import('./snapshots/edit-snapshots.ts')).createQcow2Snapshot(...given),
    apply: async (...given) => await (await import('./snapshots/edit-snapshots.ts')).applyQcow2Snapshot(...given),
    delete: async (...given) => await (await import('./snapshots/edit-snapshots.ts')).deleteQcow2Snapshot(...given),
  },
};
