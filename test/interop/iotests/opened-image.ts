import { openFileDevice } from '../../../src/block/file-device.ts';
import { followBackingFiles } from '../../../src/format/backing-files.ts';
import { openImage } from '../../../src/format/formats.ts';
import type { FormatDevice } from '../../../src/format/image-format.ts';
import { followParts } from '../../../src/format/part-files.ts';

const openFile = (file: string) => openFileDevice(file, { readOnly: true });
const partsOf = (image: string) => followParts(image, openFile);

/** An image, and the secret that it was opened with. */
export interface OpenedImage {
  readonly disk: FormatDevice;
  readonly secret: string;
}

/** Opens an image to be read, with whatever files it names and the secrets given, which are tried in turn. */
export async function openedImage(path: string, secrets: readonly string[]): Promise<OpenedImage> {
  let failure: unknown;
  for (const secret of secrets.length > 0 ? secrets : ['']) {
    try {
      const askSecret = async () => new TextEncoder().encode(secret);
      const openBacking = await followBackingFiles({ path, allowed: ['/'], openFile, partsOf, askSecret });
      const hooks = { openBacking, openPart: partsOf(path), askSecret };
      return { disk: await openImage(await openFile(path), { name: path, ...hooks }), secret };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
