/** Who takes what comes over a wire. */
export interface WireReceiver {
  /** Where the next bytes are to be put; never empty. */
  space(): Uint8Array;
  /** So many bytes were put there. */
  received(length: number): void;
  /** Nothing comes any more: the other side has ended it, or is gone. May be told more than once. */
  ended(): void;
}

/** The bytes of a connection on their ways. */
export interface Wire {
  /** Came in before it was opened. */
  readonly early: Uint8Array;
  /** Begins to give bytes to a receiver. */
  open(receiver: WireReceiver): void;
  /** Gives the receiver nothing until `resume`. */
  pause(): void;
  resume(): void;
  /** Sends as many of the bytes as can be sent at once, and gives how many those are; they are not needed any more. */
  sendNow(bytes: Uint8Array): number;
  /**
   * Sends as much of a file as can be sent at once, and gives how many bytes that is; see sendfile(2). The bytes are
   * those that stand there when the other side takes them.
   */
  sendFileNow(fd: number, offset: number, length: number): number;
  /** Sends all of the bytes, which must not change until `done` is called: sent, or lost. */
  send(bytes: Uint8Array, done: () => void): void;
  /** Ends it when all is sent. */
  end(): void;
  /** Ends it now. */
  destroy(): void;
}
