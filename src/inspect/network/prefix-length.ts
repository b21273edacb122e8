/** An address and its mask (`255.255.255.0`, or a number of bits) as `192.0.2.1/24`; without a mask the address alone. */
export function withPrefix(address: string, mask: string | undefined): string {
  if (mask === undefined || address.includes('/')) return address;
  if (/^\d{1,3}$/.test(mask)) return `${address}/${mask}`;
  const bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(mask)?.slice(1).map(Number);
  if (bytes === undefined) return address;
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits) ? `${address}/${bits.indexOf('0') < 0 ? 32 : bits.indexOf('0')}` : address;
}
