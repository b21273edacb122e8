import { nameFromUtf16, utf16Units } from '../utf16-name.ts';
import { attributeTypes } from './attribute.ts';
import type { DescribedFile } from './describe-file.ts';

/** The largest value that Linux takes, in bytes (XATTR_SIZE_MAX). */
const largestValue = 65_536;
/** What holds the content of a file that the Windows Overlay Filter compressed. */
const overlayStream = 'WofCompressedData';

/** The streams of a file besides its content, as attributes named as ntfs-3g does; none that is too long, or encrypted. */
export async function readAlternateStreams({ file, isOverlaid }: DescribedFile): Promise<Map<string, Uint8Array>> {
  const attributes = new Map<string, Uint8Array>();
  for (const name of file.namesOf(attributeTypes.data)) {
    const shown = new TextDecoder().decode(nameFromUtf16(utf16Units(name)));
    if (shown === '' || (isOverlaid && shown === overlayStream)) continue;
    const stream = (await file.stream(attributeTypes.data, name))!;
    if (stream.size > largestValue || stream.isEncrypted) continue;
    const value = new Uint8Array(stream.size);
    await stream.read(value, 0);
    attributes.set(`user.${shown}`, value);
  }
  return attributes;
}
