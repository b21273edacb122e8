import { resolve } from 'node:path';
import { parseDuration } from '../../../base/duration.ts';
import { VarveError } from '../../../base/varve-error.ts';
import { colonMac } from '../../../bytes/hardware-address.ts';
import { formatIpv4, type Ipv4, isSameNetwork, parseIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { parseReference } from '../../../store/image-name.ts';
import type { AddressRange } from './room.ts';

/** A network's own address and how many bits of it are the network's. */
export interface NetworkAddress {
  readonly network: Ipv4;
  readonly prefix: number;
}

/** The mask of a prefix of 1 to 32 bits. */
export function maskOf(prefix: number): Ipv4 {
  return 2 ** 32 - 2 ** (32 - prefix);
}

/** First and last address that machines of a network can have: all but its own and that of everybody. */
export function hostsOf({ network, prefix }: NetworkAddress): AddressRange {
  return [network + 1, network + 2 ** (32 - prefix) - 2];
}

/** Whether an address is of a network. */
export function isOfNetwork(address: Ipv4, { network, prefix }: NetworkAddress): boolean {
  return isSameNetwork(address, network, maskOf(prefix));
}

/** `10.9.0.0/24`. @throws VarveError `INVALID` */
export function parseNetwork(text: string): NetworkAddress {
  const [, address, bits] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  const prefix = Number(bits);
  if (address === undefined || prefix < 8 || prefix > 30) {
    throw new VarveError(
      'INVALID',
      `${show(text)} is no network; write its address and 8 to 30 bits, as in 10.9.0.0/24`,
    );
  }
  const given = parseIpv4(address);
  const network = (given & maskOf(prefix)) >>> 0;
  if (given === network) return { network, prefix };
  throw new VarveError('INVALID', `${text} is an address in the network ${formatIpv4(network)}/${prefix}; write that`);
}

/** `10.9.0.100-10.9.0.250`. @throws VarveError `INVALID` */
export function parseAddressRange(text: string): AddressRange {
  const [first, last, ...rest] = text.split('-').map((part) => part.trim());
  if (first === undefined || last === undefined || rest.length > 0) {
    throw new VarveError(
      'INVALID',
      `${show(text)} is no range; write its first and last address, as in 10.9.0.100-10.9.0.250`,
    );
  }
  const range = [parseIpv4(first), parseIpv4(last)] as const;
  if (range[0] <= range[1]) return range;
  throw new VarveError('INVALID', `${text} ends before it begins; write ${last}-${first}`);
}

/** A duration in whole seconds between two others. @throws VarveError `INVALID` */
export function parseSeconds(text: string, least: number, most: number): number {
  const seconds = Math.round(parseDuration(text) / 1000);
  if (seconds >= least && seconds <= most) return seconds;
  throw new VarveError('INVALID', `${text} is not between ${least} s and ${most} s`);
}

/** A whole number. @throws VarveError `INVALID` */
export function parseWhole(text: string, most: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  throw new VarveError('INVALID', `${show(text)} is no whole number from 0 to ${most}`);
}

/** `true` or `yes`, `false` or `no`: YAML had both once. @throws VarveError `INVALID` */
export function parseYesNo(text: string): boolean {
  if (/^(?:true|yes)$/i.test(text)) return true;
  if (/^(?:false|no)$/i.test(text)) return false;
  throw new VarveError('INVALID', `${show(text)} is neither yes nor no`);
}

/** A MAC address in small letters, with `:`; with `*` for what may stand there. @throws VarveError `INVALID` */
export function parseMacPattern(text: string): string {
  const mac = colonMac(text);
  const isPattern = mac.length <= 17 && /^[0-9a-f:]*\*[0-9a-f:*]*$/.test(mac);
  if (isPattern || /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) return mac;
  throw new VarveError('INVALID', `${show(text)} is no MAC address; write 52:54:00:12:34:56, or "52:54:00:*"`);
}

/** @throws VarveError `INVALID` */
export function parseUuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
  throw new VarveError('INVALID', `${show(text)} is no UUID; write it as 0a1b2c3d-0000-4000-8000-0123456789ab`);
}

/** A name that can stand in an address of the web, in scripts and as a host's: of entries and machines. @throws VarveError `INVALID` */
export function parsePlainName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text) && text !== 'local') return text;
  const rule =
    text === 'local' ? 'it is what the own disk is called' : 'use letters, digits, ".", "_" and "-", at most 63';
  throw new VarveError('INVALID', `${show(text)} cannot be a name: ${rule}`);
}

/** `web` or `web@3`. @throws VarveError `INVALID` */
export function parseImage(text: string): string {
  parseReference(text);
  return text.normalize('NFC');
}

/** Characters that end a line, or that loaders would take for their own. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const controls = /[\x00-\x1f\x7f\u2028\u2029]/;

/** One line of text that iPXE takes as it stands. @throws VarveError `INVALID` */
export function parseLine(text: string): string {
  const problem = controls.test(text)
    ? 'has characters that are no text, such as an end of line'
    : text.includes('${')
      ? 'has "${", which iPXE would replace'
      : Buffer.byteLength(text) > 1024
        ? 'has more than 1024 bytes'
        : undefined;
  if (problem === undefined) return text.trim();
  throw new VarveError('INVALID', `${show(text)} ${problem}`);
}

/** Arguments for a kernel. @throws VarveError `INVALID` */
export function parseArguments(text: string): string {
  const line = parseLine(text);
  // Source: iPXE, core/exec.c: these words end a command.
  const word = line.split(' ').find((each) => ['&&', '||', ';'].includes(each) || each.startsWith('#'));
  if (word === undefined) return line;
  throw new VarveError('INVALID', `${show(text)} has the word ${word}, at which iPXE would end the command`);
}

/** The name of a network interface. @throws VarveError `INVALID` */
export function parseInterface(text: string): string {
  // Source: Linux, dev_valid_name.
  if (/^[^\s/:\0]{1,15}$/.test(text) && text !== '.' && text !== '..') return text;
  throw new VarveError('INVALID', `${show(text)} is no name of a network interface`);
}

/** A file that a room names, from the directory of its own. @throws VarveError `INVALID` */
export function parsePath(text: string, directory: string): string {
  if (!text.includes('\0')) return resolve(directory, text);
  throw new VarveError('INVALID', `${show(text)} is no path`);
}

/** A file inside an image or a directory. @throws VarveError `INVALID` */
export function parseInnerPath(text: string): string {
  const line = parseLine(text);
  if (line !== '' && !line.split('/').includes('..')) return line;
  throw new VarveError('INVALID', `${show(text)} is no path inside the image; write it without ".."`);
}

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
