/** A file that is served. Disposing closes it. */
export interface ServedFile extends AsyncDisposable {
  /** In bytes. */
  readonly size: number;
  /** Of its content: another one means that the content may be another one. Without one nothing of it is kept. */
  readonly version?: string | undefined;
  /**
   * Fills all of `target` with what stands at byte `offset`, and may be done at once.
   *
   * @throws VarveError
   */
  read(target: Uint8Array, offset: number): void | Promise<void>;
}

/** Where served files come from: a directory, or the inside of an image. It must let nothing outside be named. */
export interface FileSource {
  /** @returns undefined where there is no such file @throws VarveError `PERMISSION` for names that are not served, `IO` */
  open(name: string): ServedFile | undefined | Promise<ServedFile | undefined>;
}
