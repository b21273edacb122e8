import os from 'node:os';
import { formatIpv4 } from '../../src/protocol/dhcp/ipv4.ts';
import { findDhcpServers } from '../../src/server/dhcp/find-servers.ts';

// Prints the servers that are found on a network interface: find-dhcp.ts INTERFACE

const [interfaceName = ''] = process.argv.slice(2);
const hardwareAddress = os.networkInterfaces()[interfaceName]?.[0]?.mac ?? '02:00:00:00:00:01';
const servers = await findDhcpServers({ interfaceName, hardwareAddress });
console.log(servers.map(formatIpv4).join(' '));
