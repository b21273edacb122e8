import assert from 'node:assert/strict';
import { interfaceName } from './lab.ts';
import { netbootTest } from './netboot-test.ts';
import { roomOf } from './room-file.ts';
import { consoleArguments, untilRunning } from './room-machine.ts';

const otherServer = '10.9.0.2';

for (const firmware of ['bios', 'efi', 'efi-http'] as const) {
  const needs = { efi: firmware !== 'bios', programs: ['dnsmasq'] };
  netbootTest(
    `${firmware}: beside a dnsmasq that gives out addresses, we find it and say only what to start`,
    needs,
    async (room) => {
      const { lab } = room;
      const dnsmasq = ['dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--port=0', '--user=root', '--no-ping'];
      const addresses = [`--interface=${interfaceName}`, '--bind-interfaces', '--dhcp-range=10.9.0.50,10.9.0.60'];
      const leases = `--dhcp-leasefile=${lab.directory}/dnsmasq`;
      lab.start(lab.elsewhere(otherServer, ...dnsmasq, ...addresses, leases), { stdio: 'ignore' });
      await room.serve(`dhcp: auto\n${roomOf('nbd')}`);
      assert.match(room.printed, new RegExp(otherServer.replaceAll('.', '\\.')));
      await using machine = lab.boot({ firmware });
      await machine.waitFor(/net0: 10\.9\.0\.5\d\//);
      await machine.waitFor(/web \(web@1\)/);
      await machine.waitFor(/^Loading, please wait/m);
    },
  );
}

const pxelinux = {
  '/usr/lib/PXELINUX/pxelinux.0': 'pxelinux',
  '/usr/lib/syslinux/modules/bios/ldlinux.c32': 'syslinux-common',
  '/boot/ipxe.lkrn': 'ipxe',
};

// QEMU's own firmware is iPXE. This one is, too, but does not say so.
const plainFirmware = `#!ipxe
set user-class plain
dhcp
chain tftp://\${next-server}/\${filename}
`;

netbootTest(
  'firmware that is not iPXE loads PXELINUX, which shows its menu and boots',
  { files: pxelinux },
  async (room) => {
    await room.serve(`loaders: { bios: /usr/lib/PXELINUX/pxelinux.0 }
menu: { timeout: 2s, default: web }
entries:
  web: { image: web, boot: nbd, arguments: ${consoleArguments} }
machines:
  - { mac: "52:54:00:*", entry: [web] }
`);
    const script = room.write('plain.ipxe', plainFirmware);
    await using machine = room.lab.boot({ devices: ['-kernel', '/boot/ipxe.lkrn', '-initrd', script] });
    await machine.waitFor(/PXELINUX 6/);
    await untilRunning(machine);
  },
);
