import os from 'node:os';
import { formatIpv4 } from '../../src/protocol/dhcp/ipv4.ts';
import { findDhcpServers } from '../../src/server/dhcp/find-servers.ts';

/** The command that prints the servers that are found on a network interface. */
export function findDhcpCommand(interfaceName: string): string[] {
  return [process.execPath, import.meta.filename, interfaceName];
}

async function find(interfaceName = ''): Promise<void> {
  const hardwareAddress = os.networkInterfaces()[interfaceName]?.[0]?.mac ?? '02:00:00:00:00:01';
  const servers = await findDhcpServers({ interfaceName, hardwareAddress });
  console.log(servers.map(formatIpv4).join(' '));
}

if (process.argv[1] === import.meta.filename) await find(...process.argv.slice(2));
