import type { IncomingHttpHeaders } from 'node:http';

/** By what a file on a server is known to be the same as before. Source: RFC 9110, section 8.8. */
export interface HttpValidator {
  /** The entity tag as it came, a weak one with its `W/`. */
  readonly tag: string | undefined;
  readonly lastModified: string | undefined;
  /** In bytes. */
  readonly size: number;
}

/** What the headers of an answer say of the file, which has `size` bytes. */
export function httpValidator(headers: IncomingHttpHeaders, size: number): HttpValidator {
  return { tag: headers.etag, lastModified: headers['last-modified'], size };
}

/** Whether two answers are about the same content, as far as they tell: by tag where both have one, else by time. */
export function sameHttpFile(a: HttpValidator, b: HttpValidator): boolean {
  if (a.size !== b.size) return false;
  if (a.tag !== undefined && b.tag !== undefined) return a.tag === b.tag;
  if (a.lastModified !== undefined && b.lastModified !== undefined) return a.lastModified === b.lastModified;
  return true;
}

/**
 * The headers that ask for a part only of that content. Weak tags are not allowed here; and of times some servers think
 * that they are no proof, and send all of the file.
 */
export function conditionOf({ tag }: HttpValidator): Record<string, string> {
  return tag?.startsWith('"') ? { 'if-range': tag } : {};
}
