import { interfaceName, type Lab, serverAddress } from '../../test/netboot/lab.ts';
import { LabProgram } from './lab-program.ts';
import { run } from './program.ts';

/** Has dnsmasq give out addresses in a lab, with these options besides. */
export async function startDnsmasq(lab: Lab, ...options: readonly string[]): Promise<LabProgram> {
  const common = [
    '--keep-in-foreground',
    '--quiet-dhcp',
    '--conf-file=/dev/null',
    '--port=0',
    '--user=root',
    '--log-facility=/dev/null',
  ];
  // Else it looks for three seconds whether somebody uses an address, as we do not.
  const dhcp = ['--no-ping', '--dhcp-authoritative', '--dhcp-lease-max=100000', `--interface=${interfaceName}`];
  const command = ['dnsmasq', ...common, ...dhcp, '--bind-interfaces', ...options];
  const server = new LabProgram(lab, command);
  await server.until(() => isBound(lab), `answer at ${serverAddress}`);
  return server;
}

function isBound(lab: Lab): boolean {
  return / [0-9A-F]{8}:0043 /.test(run(lab.inside('cat', '/proc/net/udp')).stdout);
}
