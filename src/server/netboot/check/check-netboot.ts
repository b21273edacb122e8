import { formatIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { findDhcpServers } from '../../dhcp/find-servers.ts';
import { findPlace } from '../find-place.ts';
import { findLoaders } from '../loaders/find-loaders.ts';
import { loaderFiles } from '../netboot-files.ts';
import { type NetbootOptions, NetbootServer } from '../netboot-server.ts';
import type { Room } from '../room/room.ts';
import type { ServerPlace } from '../server-place.ts';
import { checkFirewall } from './check-firewall.ts';
import { checkPorts, neededPorts } from './check-ports.ts';
import { checkRoom } from './check-room.ts';
import { type Finding, ok, problem, problemOf, warning } from './finding.ts';
import { probePlace } from './probe-place.ts';

/** What is checked. */
export interface CheckOptions extends NetbootOptions {
  /** Whether a server has the store's machines already; else one is started for a moment, to be looked at. */
  readonly isServed: boolean;
}

/** Checks a room and its servers before the first machine is switched on, one thing after the other. */
export async function* checkNetboot(options: CheckOptions): AsyncGenerator<Finding> {
  const { isServed, ports, privileges, room, signal, store } = options;
  const places: ServerPlace[] = [];
  for (const name of room.interfaces) {
    try {
      const place = findPlace(name, ports);
      places.push(place);
      yield ok(`interface ${name}`, `${place.address}/${place.prefix}`);
    } catch (error) {
      yield problemOf(`interface ${name}`, error);
    }
  }
  const [first] = places;
  if (room.interfaces.length === 0) yield problem('interfaces', 'name the one that machines are on: --interface eth1');
  if (first === undefined) return;
  const loaders = findLoaders(room.loaders);
  yield* checkRoom(room, { loaders, place: first, store });
  for (const place of places) {
    if (isServed) yield ok(`${place.interfaceName}: ports`, 'a server has them');
    else yield* await privileges.asRoot(() => Array.fromAsync(checkPorts(room, place)));
  }
  yield await privileges.asRoot(() => checkFirewall(places.flatMap((place) => neededPorts(room, place))));
  let isFree = true;
  for (const place of places) {
    const finding = await privileges.asRoot(() => findOthers(room, place, options));
    isFree &&= finding.state !== 'problem';
    yield finding;
  }
  if (!isFree) return;
  try {
    await using _server = isServed ? undefined : await NetbootServer.start({ ...options, isTrial: true });
    if (room.dhcp === 'off') return;
    for (const place of places) {
      yield* await privileges.asRoot(() => Array.fromAsync(probePlace(place, loaderFiles(loaders.source), signal)));
    }
  } catch (error) {
    signal.throwIfAborted();
    yield problemOf('server', error);
  }
}

/** Who else gives out addresses. */
async function findOthers({ dhcp }: Room, place: ServerPlace, { signal }: CheckOptions): Promise<Finding> {
  const { address, hardwareAddress, interfaceName, ports } = place;
  const what = `${interfaceName}: other DHCP servers`;
  if (dhcp === 'off') return ok(what, 'not looked for: dhcp is off, and one of them has to name us');
  try {
    const dhcpPorts = { server: ports.dhcpServer, client: ports.dhcpClient };
    const found = await findDhcpServers({ interfaceName, hardwareAddress, ports: dhcpPorts, signal });
    const others = found.map(formatIpv4).filter((each) => each !== address);
    const names = others.join(', ');
    if (dhcp === 'server' && others.length > 0)
      return problem(what, `${names} gives out addresses, too; use dhcp: proxy`);
    if (dhcp === 'proxy' && others.length === 0) return warning(what, 'nobody gives out addresses; use dhcp: server');
    return ok(what, others.length === 0 ? 'none' : names);
  } catch (error) {
    signal.throwIfAborted();
    return problemOf(what, error);
  }
}
