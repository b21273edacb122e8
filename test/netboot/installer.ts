import { netbootTest } from './netboot-test.ts';

const directory = '/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';
const preseed = `d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_hostname string {{ machine.name }}
d-i netcfg/get_domain string lab
d-i preseed/early_command string echo "the preseed of {{ machine.name }}" "was read" > /dev/ttyS0
`;

netbootTest(
  'Debian’s installer reads its preseed, made for this machine',
  { image: false, files: { [`${directory}/linux`]: 'debian-installer-12-netboot-amd64' } },
  async (room) => {
    room.write('preseed.cfg', preseed);
    // Without a router it would ask whether to go on.
    await room.serve(`dhcp: server
networks:
  - { network: 10.9.0.0/24, range: 10.9.0.100-10.9.0.200, routers: [10.9.0.1] }
entries:
  installer:
    boot: kernel
    files: ${directory}
    kernel: linux
    initramfs: initrd.gz
    template: { kind: preseed, file: ./preseed.cfg }
    arguments: console=ttyS0 no_timer_check panic=-1 DEBIAN_FRONTEND=text net.ifnames=0
machines:
  - { mac: "52:54:00:*", name: alice, entry: installer }
`);
    await using machine = room.lab.boot({ memory: 1024, timeoutMs: 480_000 });
    await machine.waitFor(/the preseed of alice was read/);
  },
);
