import {
  isMainThread,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from 'node:worker_threads';

/** What the thread wants: the next bytes of the file, or that these be taken; or it is done. */
export type Bzip2Request =
  | { readonly kind: 'input' }
  | { readonly kind: 'output'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end' }
  | { readonly kind: 'failure'; readonly why: 'damaged' | 'cut off'; readonly message: string };

interface Bzip2Work {
  /** Counts the replies. */
  readonly turn: Int32Array<SharedArrayBuffer>;
  /** Where replies come from. */
  readonly port: MessagePort;
}

/** Tells this module, in a worker thread, that it is meant. */
const marker = 'varve bzip2';
const pieceLength = 2 ** 20;

/** Starts the thread. It posts a `Bzip2Request`, and waits until `turn` is counted up and the reply is at `port`. */
export function startBzip2Worker(turn: Int32Array<SharedArrayBuffer>, port: MessagePort): Worker {
  return new Worker(new URL(import.meta.url), { workerData: { marker, turn, port }, transferList: [port] });
}

/** The file ended inside a stream. */
class CutOffError extends Error {}

/** The thread's ends of the stream, in the shape that the library asks for. */
class Bzip2Streams {
  readonly #work: Bzip2Work;
  #turn = 0;
  #input: Uint8Array = new Uint8Array(0);
  #inputPosition = 0;
  #output = new Uint8Array(pieceLength);
  #outputLength = 0;

  constructor(work: Bzip2Work) {
    this.#work = work;
  }

  readByte(): number {
    if (!this.#fill(1)) throw new CutOffError('it ends early');
    const byte = this.#input[this.#inputPosition]!;
    this.#inputPosition += 1;
    return byte;
  }

  /** As the library wants it: how many bytes there were, -1 for none. */
  read(target: Uint8Array, offset: number, length: number): number {
    for (let index = 0; index < length; index += 1) target[offset + index] = this.readByte();
    return length;
  }

  writeByte(byte: number): void {
    this.#output[this.#outputLength] = byte;
    this.#outputLength += 1;
    if (this.#outputLength === pieceLength) this.flush();
  }

  flush(): void {
    if (this.#outputLength === 0) return;
    const bytes = this.#output.subarray(0, this.#outputLength);
    this.#ask({ kind: 'output', bytes });
    this.#outputLength = 0;
  }

  /** Whether another stream follows; what is none is passed over. */
  hasStream(): boolean {
    const isWhole = this.#fill(4);
    const start = Buffer.from(this.#input.subarray(this.#inputPosition, this.#inputPosition + 4)).toString('latin1');
    if (!isWhole && start !== '' && 'BZh'.startsWith(start)) throw new CutOffError('it ends early');
    return /^BZh[1-9]$/.test(start);
  }

  #fill(length: number): boolean {
    while (this.#input.length - this.#inputPosition < length) {
      const more = this.#ask({ kind: 'input' });
      if (more === undefined) return false;
      this.#input = Buffer.concat([this.#input.subarray(this.#inputPosition), more]);
      this.#inputPosition = 0;
    }
    return true;
  }

  #ask(request: Bzip2Request): Uint8Array | undefined {
    parentPort!.postMessage(request);
    Atomics.wait(this.#work.turn, 0, this.#turn);
    this.#turn += 1;
    return receiveMessageOnPort(this.#work.port)?.message;
  }
}

async function unpack(work: Bzip2Work): Promise<Bzip2Request> {
  const { default: bunzip } = await import('seek-bzip');
  const streams = new Bzip2Streams(work);
  try {
    do bunzip.decode(streams, streams);
    while (streams.hasStream());
    streams.flush();
    return { kind: 'end' };
  } catch (error) {
    const why = error instanceof CutOffError ? 'cut off' : 'damaged';
    return { kind: 'failure', why, message: (error as Error).message };
  }
}

if (!isMainThread && workerData?.marker === marker) {
  const work: Bzip2Work = workerData;
  parentPort!.postMessage(await unpack(work));
}
