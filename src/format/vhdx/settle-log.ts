import type { BlockDevice } from '../../block/block-device.ts';
import { newGuid, zeroGuid } from '../../bytes/guid.ts';
import { encodeHeader, headerPlaces, type VhdxHeader } from './file-header.ts';
import type { PatchedFile } from './patched-file.ts';

/**
 * Replays a log in the file itself, durably, and then says in both headers that there is none. Cut off before, it is
 * replayed again, and the same comes of it.
 *
 * Source: MS-VHDX, section 2.3.3, "Log Replay", and 2.2.2.1, "Updating the Headers".
 */
export async function settleLog(file: BlockDevice, replayed: PatchedFile, header: VhdxHeader): Promise<void> {
  await replayed.writeTo(file);
  await file.flush();
  const settled = { ...header, fileWriteGuid: newGuid(), logGuid: zeroGuid };
  for (const [index, place] of headerPlaces.headers.entries()) {
    await file.write(encodeHeader({ ...settled, sequenceNumber: header.sequenceNumber + BigInt(index + 1) }), place);
    await file.flush();
  }
}
