/** The checksums that files can be listed with. */
export const hashNames = ['blake3', 'sha256', 'sha512', 'sha384', 'sha224', 'sha1', 'md5'] as const;

/** One of `hashNames`. */
export type HashName = (typeof hashNames)[number];
