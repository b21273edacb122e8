/** Why a compressed file cannot be unpacked: what it is, and what of it. */
export class CompressedFileError extends Error {
  readonly kind: 'damaged' | 'cut off' | 'not supported';

  constructor(kind: CompressedFileError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
