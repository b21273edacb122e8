import type { BlockDevice } from '../../block/block-device.ts';
import type { Steps } from '../../block/run-steps.ts';
import { changeableFieldsOffset, encodeChangeableFields, encodeHeader, type Qcow2Header } from './header.ts';

/** The header's fields that stand before its extensions, and change while an image is in use. */
export type ChangeableFields = Partial<
  Omit<Qcow2Header, 'version' | 'backingFile' | 'clusterBits' | 'refcountOrder' | 'extensions' | 'additionalFields'>
>;

/** An image's file, and its header as it stands there now. */
export class ImageFile {
  readonly file: BlockDevice;
  /** The image's name in errors. */
  readonly name: string;
  readonly clusterSize: number;
  #header: Qcow2Header;

  constructor(file: BlockDevice, header: Qcow2Header, name: string) {
    this.file = file;
    this.name = name;
    this.clusterSize = 2 ** header.clusterBits;
    this.#header = header;
  }

  get header(): Qcow2Header {
    return this.#header;
  }

  /** Changes fields in one write of less than a sector: all of them change, or none. It does not flush. */
  *changeFields(changes: ChangeableFields): Steps {
    const header = { ...this.#header, ...changes };
    yield this.file.write(encodeChangeableFields(header), changeableFieldsOffset);
    this.#header = header;
  }

  /**
   * Writes the whole first cluster anew, for other extensions or another backing file. It does not flush, and is not
   * safe from a power cut where they reach past the first sector.
   *
   * @throws VarveError `INVALID` where they do not fit into one cluster
   */
  *replaceHeader(header: Qcow2Header): Steps {
    yield this.file.write(encodeHeader(header), 0);
    this.#header = header;
  }
}
