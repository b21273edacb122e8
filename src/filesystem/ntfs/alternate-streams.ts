import { nameFromUtf16, utf16Units } from '../utf16-name.ts';
import { attributeTypes } from './attribute.ts';
import type { DescribedFile } from './describe-file.ts';
import { overlayStreamName } from './overlay/overlay-stream.ts';

/** The largest value that Linux takes, in bytes (XATTR_SIZE_MAX). */
const largestValue = 65_536;
/** The most that all of them have together: a stream can be a hole, and cost nobody anything. */
const largestTotal = 16 << 20;

/** The streams of a file besides its content, as attributes named as ntfs-3g does; none that is too long, or encrypted. */
export async function readAlternateStreams({ file, overlay }: DescribedFile): Promise<Map<string, Uint8Array>> {
  const attributes = new Map<string, Uint8Array>();
  let room = largestTotal;
  for (const name of file.namesOf(attributeTypes.data)) {
    const shown = new TextDecoder().decode(nameFromUtf16(utf16Units(name)));
    if (shown === '' || (overlay !== undefined && shown === overlayStreamName)) continue;
    const stream = (await file.stream(attributeTypes.data, name))!;
    if (stream.size > Math.min(largestValue, room) || stream.isEncrypted) continue;
    room -= stream.size;
    const value = new Uint8Array(stream.size);
    await stream.read(value, 0);
    attributes.set(`user.${shown}`, value);
  }
  return attributes;
}
