/** A file that is served. Disposing closes it. */
export interface ServedFile extends AsyncDisposable {
  /** In bytes. */
  readonly size: number;
  /** Of its content: another one means that the content may be another one. Without one nothing of it is kept. */
  readonly version?: string | undefined;
  /** What kind of content it is (RFC 6838), such as `text/plain`; whoever serves it guesses by its name where nothing is said. */
  readonly mediaType?: string | undefined;
  /** When it was last written, in milliseconds since 1970, where that is known. */
  readonly modifiedMs?: number | undefined;
  /**
   * Fills all of `target` with what stands at byte `offset`, and may be done at once.
   *
   * @throws VarveError
   */
  read(target: Uint8Array, offset: number): void | Promise<void>;
}

/** What became of a name: the file, `gone` where there was one that is not served any more, or undefined where there is none. */
export type FoundFile = ServedFile | 'gone' | undefined;

/** Where served files come from: a directory, or the inside of an image. It must let nothing outside be named. */
export interface FileSource {
  /**
   * @param client the address of who asks, without a port; undefined where nobody else asks
   * @throws VarveError `PERMISSION` for names that are not served, or not to this client, `BUSY` for what may be served later, `IO`
   */
  open(name: string, client?: string): FoundFile | Promise<FoundFile>;
}
