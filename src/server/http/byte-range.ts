/** Some of a file's bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * What a Range header asks for of a file (RFC 9110, section 14.1.2): a range, `unsatisfiable` where the file has no such
 * bytes, or undefined where the whole file is the answer: for headers that cannot be understood, and for several ranges
 * at once, which a server need not give.
 */
export function parseByteRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes[ \t]*=[ \t]*(\d{0,20})-(\d{0,20})[ \t]*$/i.exec(header) ?? [];
  if (first === '') return last === '' ? undefined : suffixOf(Number(last), size);
  const offset = Number(first);
  if (last !== '' && Number(last) < offset) return undefined;
  if (offset >= size) return 'unsatisfiable';
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  return { offset, length: end - offset };
}

function suffixOf(length: number, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (length === 0) return 'unsatisfiable';
  // Nothing cannot be written down as a range: the last bytes of an empty file are all of it.
  if (size === 0) return undefined;
  const offset = Math.max(0, size - length);
  return { offset, length: size - offset };
}
