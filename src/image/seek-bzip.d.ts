/** What Varve uses of seek-bzip, which has no types of its own. */
declare module 'seek-bzip' {
  interface InputStream {
    readByte(): number;
    read(target: Uint8Array, offset: number, length: number): number;
  }
  interface OutputStream {
    writeByte(byte: number): void;
  }
  const bunzip: {
    /** Unpacks one stream, up to its end. */
    decode(input: InputStream, output: OutputStream): void;
  };
  export = bunzip;
}
