import { parseIpv4 } from '../../src/protocol/dhcp/ipv4.ts';
import { listenDhcp } from '../../src/server/dhcp/dhcp-server.ts';
import { LeaseJournal } from '../../src/server/dhcp/lease-journal.ts';

/** The command that serves DHCP at 10.77.0.1 on interface `srv`, with its leases in the file `path`. */
export function serveDhcpCommand(path: string, mode: 'server' | 'proxy'): string[] {
  return [process.execPath, import.meta.filename, path, mode];
}

async function serve(path = '', mode = 'server'): Promise<void> {
  const server = parseIpv4('10.77.0.1');
  const subnet = {
    ...{ network: server, mask: parseIpv4('255.255.0.0'), fixed: new Map(), reserve: 16, leaseSeconds: 3600 },
    ranges: [[parseIpv4('10.77.1.0'), parseIpv4('10.77.200.255')] as const],
    routers: [server],
    nameServers: [server],
  };
  await listenDhcp({
    server,
    interfaceName: 'srv',
    leases: mode === 'proxy' ? undefined : { subnets: [subnet], journal: LeaseJournal.open(path) },
    isKnown: () => false,
    planFor: (client) =>
      client.wants === 'address'
        ? undefined
        : { fileName: client.isIpxe ? 'menu.ipxe' : 'loader', serverAddress: server },
    onEvent: ({ failure }) => failure !== undefined && console.error(failure),
  });
  console.log('listening');
}

if (process.argv[1] === import.meta.filename) await serve(...process.argv.slice(2));
