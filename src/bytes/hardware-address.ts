/** A MAC address as text: `52:54:00:12:34:56`, in small letters, of however many bytes there are. */
export function formatHardwareAddress(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The bytes of a MAC address that is written well: pairs of hexadecimal digits, with `:` or `-` between them. */
export function hardwareAddressBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(/[:-]/), (digits) => Number.parseInt(digits, 16));
}

/** A MAC address as URIs and names of files have it: `52-54-00-12-34-56`. */
export function dashedMac(mac: string): string {
  return mac.toLowerCase().replaceAll(':', '-');
}

/** The same as it is read: `52:54:00:12:34:56`. */
export function colonMac(mac: string): string {
  return mac.toLowerCase().replaceAll('-', ':');
}
