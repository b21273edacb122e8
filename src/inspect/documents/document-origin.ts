import { createHash } from 'node:crypto';

/** What a bill of materials says of itself. */
export interface DocumentOrigin {
  /** What was looked into: `web@3`. */
  readonly name: string;
  /** When, in milliseconds since 1970. */
  readonly time: number;
  /** Varve's version. */
  readonly toolVersion: string;
}

/** A UUID that says what its document says: the same for equal content. Source: RFC 9562, version 8. */
export function contentUuid(content: string): string {
  const digits = [...createHash('sha256').update(content).digest('hex').slice(0, 32)];
  digits[12] = '8';
  digits[16] = '89ab'[Number.parseInt(digits[16]!, 16) % 4]!;
  return digits.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Without fractions of a second, as SPDX wants it. */
export function documentTime({ time }: DocumentOrigin): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
