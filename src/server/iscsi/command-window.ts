/** So many commands of one session may be under way. */
const windowSize = 128;

/**
 * Which numbers of commands a session takes. On one connection they come in order, so that there is only one that can be
 * next; others are passed over. Source: RFC 7143, section 4.2.2.1.
 */
export class CommandWindow {
  /** ExpCmdSN: the number of the next command. */
  expected = 0;
  /** MaxCmdSN: the last that may be sent. It never goes back. */
  last = 0;

  /** The login says which command is first. */
  begin(first: number): void {
    this.expected = first;
    this.last = (first + windowSize - 1) >>> 0;
  }

  /** Hot: takes a command's number, where it is the next; `underWay` are there already. */
  take(number: number, isImmediate: boolean, underWay: number): boolean {
    if (isImmediate) return true;
    if (number !== this.expected || this.#room < 1) return false;
    this.expected = (this.expected + 1) >>> 0;
    this.open(underWay);
    return true;
  }

  /** Opens as far as what is under way leaves room. */
  open(underWay: number): void {
    const room = Math.max(windowSize - underWay - 1, 0);
    if (room > this.#room) this.last = (this.expected + room - 1) >>> 0;
  }

  get #room(): number {
    return ((this.last - this.expected) | 0) + 1;
  }
}
