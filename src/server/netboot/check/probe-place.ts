import http from 'node:http';
import { VarveError } from '../../../base/varve-error.ts';
import { isEqual } from '../../../bytes/is-equal.ts';
import { formatIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { encodeValue, numberOf, type Options, textOf } from '../../../protocol/dhcp/option-codec.ts';
import { optionCodes } from '../../../protocol/dhcp/option-codes.ts';
import type { DhcpPacket } from '../../../protocol/dhcp/packet-codec.ts';
import { DhcpAsker } from '../../dhcp/dhcp-asker.ts';
import type { FileSource } from '../../files/file-source.ts';
import { fetchFile } from '../../tftp/fetch-file.ts';
import { parseMenuName } from '../menus/menu-names.ts';
import type { ServerPlace } from '../server-place.ts';
import { type Finding, ok, problem, problemOf, warning } from './finding.ts';

/** A kind of client that is played. */
interface Probe {
  readonly what: string;
  readonly number: number;
  readonly kind: 'pxe' | 'http' | 'ipxe';
  /** Whether most rooms have machines of that kind: what is missing for them is a problem. */
  readonly isCommon: boolean;
}

const probes: readonly Probe[] = [
  { what: 'BIOS', number: 0, kind: 'pxe', isCommon: true },
  { what: 'x64 EFI', number: 7, kind: 'pxe', isCommon: true },
  { what: 'x64 EFI (9)', number: 9, kind: 'pxe', isCommon: true },
  { what: 'IA32 EFI', number: 6, kind: 'pxe', isCommon: false },
  { what: 'ARM64 EFI', number: 11, kind: 'pxe', isCommon: false },
  { what: 'x64 EFI over HTTP', number: 16, kind: 'http', isCommon: true },
  { what: 'ARM64 EFI over HTTP', number: 19, kind: 'http', isCommon: false },
  { what: 'iPXE', number: 0, kind: 'ipxe', isCommon: true },
];

/** Locally administered, and nobody's. */
const probeAddress = Uint8Array.of(0x02, 0x76, 0x61, 0x72, 0x76, 0x65);
const timing = { sendAfterMs: [0, 1000, 2000], waitMs: 3500, lingerMs: 300 };
const largestFile = 2 ** 26;

/**
 * Plays every kind of client on an interface: asks DHCP, gets what that names, and compares it byte for byte with what the
 * server means to serve.
 *
 * @param meant where the files come from that are served
 */
export async function* probePlace(place: ServerPlace, meant: FileSource, signal: AbortSignal): AsyncGenerator<Finding> {
  const { address, interfaceName, ports } = place;
  const dhcpPorts = { server: ports.dhcpServer, client: ports.dhcpClient };
  await using asker = await DhcpAsker.open({ interfaceName, ports: dhcpPorts, signal });
  for (const probe of probes) {
    const what = `${interfaceName}: ${probe.what}`;
    const isOurs = (answer: DhcpPacket): boolean =>
      formatIpv4(numberOf(answer.options.get(optionCodes.SERVER_IDENTIFIER), 4) ?? 0) === address;
    const client = { hardwareAddress: probeAddress, options: probeOptions(probe) };
    const answers = await asker.discover(client, isOurs, timing);
    const name = answers.map(fileNameOf).find((each) => each !== undefined);
    if (name !== undefined) yield await fetched(what, name, place, meant);
    else if (!probe.isCommon) yield warning(what, 'there is no loader for it');
    else if (answers.length > 0) yield problem(what, 'the answer of DHCP names no file');
    else yield problem(what, `no answer of DHCP from ${address}; is port ${ports.dhcpServer} blocked?`);
  }
}

function probeOptions({ kind, number }: Probe): Options {
  const wanted = [1, 3, 6, 43, 60, 66, 67, 175, 209, 210];
  const name = kind === 'http' ? 'HTTPClient' : 'PXEClient';
  const options: Options = new Map([
    [optionCodes.VENDOR_CLASS, encodeValue.text(`${name}:Arch:${String(number).padStart(5, '0')}:UNDI:003001`)],
    [optionCodes.ARCHITECTURE, encodeValue.u16(number)],
    [optionCodes.NETWORK_INTERFACE, Uint8Array.of(1, 3, 1)],
    [optionCodes.PARAMETER_REQUEST_LIST, Uint8Array.from(wanted)],
    [optionCodes.MAXIMUM_MESSAGE_SIZE, encodeValue.u16(1472)],
  ]);
  if (kind === 'ipxe') options.set(optionCodes.USER_CLASS, encodeValue.text('iPXE'));
  return options;
}

function fileNameOf({ file, options }: DhcpPacket): string | undefined {
  return textOf(options.get(optionCodes.BOOT_FILE_NAME)) || file || undefined;
}

async function fetched(what: string, name: string, place: ServerPlace, meant: FileSource): Promise<Finding> {
  try {
    const isUri = name.startsWith('http://');
    const path = isUri ? decodeURIComponent(new URL(name).pathname) : name;
    // Getting a script would begin a boot; that somebody serves it is known by its menu's place.
    if (parseMenuName(path) !== undefined) return ok(what, `${name} (not fetched, as that begins a boot)`);
    const bytes = isUri
      ? await fetchByHttp(name)
      : await fetchFile({ host: place.address, port: place.ports.tftp, name, limit: largestFile });
    const expected = await contentOf(meant, path);
    if (expected === undefined) return problem(what, `${name} is offered, and is none of the files that are served`);
    if (!isEqual(bytes, expected)) return problem(what, `${name} comes with other bytes than it has here`);
    return ok(what, `${name}, ${bytes.length} bytes`);
  } catch (error) {
    return problemOf(what, error);
  }
}

function fetchByHttp(url: string): Promise<Uint8Array> {
  const { promise, reject, resolve } = Promise.withResolvers<Uint8Array>();
  const request = http.get(url, { timeout: 5000, agent: false }, (response) => {
    const parts: Uint8Array[] = [];
    response.on('data', (part: Uint8Array) => parts.push(part));
    response.on('error', reject);
    response.on('end', () => {
      if (response.statusCode === 200) resolve(Buffer.concat(parts));
      else reject(new VarveError('NOT_FOUND', `${url} is answered with status ${response.statusCode}`));
    });
  });
  request.on('timeout', () => request.destroy(new VarveError('IO', `${url} is not answered`)));
  request.on('error', (error) => reject(new VarveError('IO', `cannot get ${url}: ${error.message}`)));
  return promise;
}

async function contentOf(source: FileSource, name: string): Promise<Uint8Array | undefined> {
  const file = await source.open(name.replace(/^\/+/, ''));
  if (typeof file !== 'object') return undefined;
  await using served = file;
  const bytes = new Uint8Array(served.size);
  await served.read(bytes, 0);
  return bytes;
}
