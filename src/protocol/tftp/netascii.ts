/**
 * Text as it is sent in mode `netascii`: a line ends with CR LF, and a CR that ends none is followed by a zero byte.
 * Source: RFC 764, "the NVT printer", as RFC 1350 has it.
 */
export function encodeNetascii(text: Uint8Array): Uint8Array {
  let length = text.length;
  for (const byte of text) if (byte === 10 || byte === 13) length += 1;
  const encoded = new Uint8Array(length);
  let position = 0;
  for (const byte of text) {
    if (byte === 10) encoded[position++] = 13;
    encoded[position++] = byte;
    if (byte === 13) encoded[position++] = 0;
  }
  return encoded;
}
