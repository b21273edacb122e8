import { parseSize } from '../../../base/size.ts';
import { VarveError } from '../../../base/varve-error.ts';
import { formatIpv4, parseIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { anything, fieldsOf, listOf, meant, nodeAt, oneOf, type Reader, textBy } from './fields.ts';
import type { Problems } from './problems.ts';
import { overlayPolicies } from './read-entries.ts';
import { readNamed } from './read-named.ts';
import { requireInside } from './read-networks.ts';
import type { Machine, NetworkSettings } from './room.ts';
import type { RoomNode } from './room-node.ts';
import { isOfNetwork, parseArguments, parseMacPattern, parsePlainName, parseUuid, parseYesNo } from './values.ts';

const mostMachines = 10_000;

/** What machines can be told of. */
interface Surroundings {
  /** Names of all entries, those that are wrong included. */
  readonly entries: readonly string[];
  readonly networks: readonly NetworkSettings[];
}

/** Who gets what, in the file's order; no MAC address, UUID, name or IP address twice. */
export function readMachines(
  node: RoomNode | undefined,
  surroundings: Surroundings,
  problems: Problems,
): readonly Machine[] {
  if (node === undefined) return [];
  if (node.kind !== 'list') problems.add(node, 'has to be a list, each item with a mac or a uuid');
  else if (node.items.length > mostMachines) problems.add(node, `has more than ${mostMachines}`);
  else {
    const shape = machineShape(surroundings);
    return node.items.map((item) => readMachine(item, shape, problems)).filter((each) => each !== undefined);
  }
  return [];
}

function machineShape({ entries, networks }: Surroundings) {
  return {
    mac: once('MAC address', textBy(parseMacPattern)),
    uuid: once('UUID', textBy(parseUuid)),
    name: once('name', textBy(parsePlainName)),
    address: once('address', addressIn(networks), formatIpv4),
    entry: listOf(knownEntry(entries)),
    overlay: oneOf(overlayPolicies),
    arguments: textBy(parseArguments),
    variables: readNamed,
    memory: textBy(parseSize),
    menu: textBy(parseYesNo),
    image: anything,
  };
}

function readMachine(node: RoomNode, shape: ReturnType<typeof machineShape>, problems: Problems): Machine | undefined {
  const { entry, image, ...found } = fieldsOf(node, shape, problems);
  if (node.kind !== 'map') return undefined;
  const { address, mac, uuid, variables = {} } = found;
  if (image !== undefined) problems.add(image, 'is of entries: name an entry that has the image');
  if (!node.fields.has('mac') && !node.fields.has('uuid')) problems.add(node, 'needs a mac or a uuid');
  if (address !== undefined && (mac === undefined || mac.includes('*'))) {
    problems.add(nodeAt(node, 'address')!, 'is for one machine, whose whole mac has to stand beside it');
  }
  const { memory, menu, name, overlay } = found;
  const entries = [...new Set(entry ?? [])];
  return { mac, uuid, name, address, entries, overlay, arguments: found.arguments ?? '', variables, memory, menu };
}

/** Refuses what another machine has. */
function once<T extends string | number>(
  what: string,
  reader: Reader<T>,
  format: (value: T) => string = String,
): Reader<T> {
  const seen = new Map<T, RoomNode>();
  return (node, problems) => {
    const value = reader(node, problems);
    if (value === undefined) return undefined;
    const before = seen.get(value);
    if (before === undefined) seen.set(value, node);
    else {
      const line = before.line === undefined ? '' : ` in line ${before.line}`;
      problems.add(node, `is ${format(value)}, which is already another machine's ${what}${line}`);
    }
    return value;
  };
}

function addressIn(networks: readonly NetworkSettings[]): Reader<number> {
  return textBy((text) => {
    const address = parseIpv4(text);
    const network = networks.find((each) => isOfNetwork(address, each));
    if (network !== undefined) requireInside([address, address], network);
    else if (networks.length > 0) throw new VarveError('INVALID', `${text} is of none of the networks`);
    return address;
  });
}

function knownEntry(entries: readonly string[]): Reader<string> {
  return (node, problems) => {
    const name = textBy((text) => text)(node, problems);
    if (name === undefined || entries.includes(name)) return name;
    return problems.add(node, `is ${JSON.stringify(name)}, which is no entry; ${meant(name, entries)}`);
  };
}
