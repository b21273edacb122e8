import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { guestOf, type RootFile } from '../../../test/inspect/guest-root.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { networkOf } from './network.ts';

/** An interface in one line: who sets it up, what it is called, how it gets addresses, and its way out. */
type Line = string;

const cases: Readonly<Record<string, readonly [Readonly<Record<string, RootFile>>, readonly Line[]]>> = {
  'interfaces(5), and the files beside it': [
    {
      '/etc/network/interfaces': `auto lo eth0
iface lo inet loopback
iface eth0 inet static
  address 192.0.2.2
  netmask 255.255.255.0
  gateway 192.0.2.1
iface eth0 inet6 auto
auto eth1
address 10.0.0.1
source /etc/network/interfaces.d/*
`,
      '/etc/network/interfaces.d/eth2':
        'iface eth2 inet dhcp\niface eth3 inet static\n address 10.0.0.2/8\n netmask 24\n',
      '/etc/network/interfaces.d/old~': 'iface eth9 inet dhcp\n',
    },
    ['ifupdown eth0 DHCP 192.0.2.2/24 via 192.0.2.1', 'ifupdown eth2 DHCP', 'ifupdown eth3 10.0.0.2/8'],
  ],
  'systemd-networkd': [
    {
      '/etc/systemd/network/10-a.network': '[Match]\nName=en*\n[Network]\nDHCP=ipv4\n',
      '/etc/systemd/network/20-b.network': `[Match]
MACAddress=00:11:22:33:44:55
[Network]
Address=192.0.2.2/24
DHCP=no
[Address]
Address=2001:db8::2/64
[Route]
Gateway=192.0.2.1
`,
      '/etc/systemd/network/30-c.link': '[Match]\nName=x\n',
    },
    ['systemd-networkd en* DHCP', 'systemd-networkd 00:11:22:33:44:55 192.0.2.2/24 2001:db8::2/64 via 192.0.2.1'],
  ],
  netplan: [
    {
      '/etc/netplan/50-cloud-init.yaml': `# written by cloud-init
network:
  version: 2
  ethernets:
    enp1s0:
      dhcp4: true
      match: {macaddress: "00:11:22:33:44:55"}
    "enp2s0":
      dhcp4: no
      addresses:
      - 192.0.2.2/24
      - "2001:db8::2/64"
      routes:
        - to: default
          via: 192.0.2.1
      nameservers:
        addresses: [192.0.2.53]
    enp3s0:
      addresses: [10.0.0.2/8, 10.0.0.3/8]  # two
      gateway4: 10.0.0.1
  vlans:
    vlan1:
      id: 1
      link: enp1s0
`,
    },
    [
      'netplan enp1s0 DHCP',
      'netplan enp2s0 192.0.2.2/24 2001:db8::2/64 via 192.0.2.1',
      'netplan enp3s0 10.0.0.2/8 10.0.0.3/8 via 10.0.0.1',
      'netplan vlan1',
    ],
  ],
  'keyfiles of NetworkManager': [
    {
      '/etc/NetworkManager/system-connections/a.nmconnection': `[connection]
id=Wired
interface-name=eth0
[ipv4]
method=manual
address1=192.0.2.2/24,192.0.2.1
address2=192.0.2.3/24
[ipv6]
method=ignore
`,
      '/etc/NetworkManager/system-connections/b.nmconnection': '[connection]\nid=Other\n[ipv4]\nmethod=auto\n',
    },
    ['NetworkManager eth0 192.0.2.2/24 192.0.2.3/24 via 192.0.2.1', 'NetworkManager Other DHCP'],
  ],
  'ifcfg files': [
    {
      '/etc/sysconfig/network-scripts/ifcfg-eth0':
        'DEVICE="eth0"\nBOOTPROTO=none\nIPADDR=192.0.2.2\nPREFIX=24\nGATEWAY=192.0.2.1\n',
      '/etc/sysconfig/network-scripts/ifcfg-lo': 'DEVICE=lo\nIPADDR=127.0.0.1\n',
      '/etc/sysconfig/network-scripts/ifup': '#!/bin/sh\n',
      '/etc/sysconfig/network/ifcfg-eth1': "BOOTPROTO='dhcp'\nNAME=eth1\nIPADDR_0='10.0.0.1'\nNETMASK_0='255.0.0.0'\n",
    },
    ['ifcfg eth0 192.0.2.2/24 via 192.0.2.1', 'ifcfg eth1 DHCP 10.0.0.1/8'],
  ],
};

describe('networkOf', { skip: skipWithout('mke2fs') }, () => {
  for (const [name, [files, expected]] of Object.entries(cases)) {
    test(`reads ${name}`, async (t) => {
      const { interfaces } = await networkOf((await guestOf(t, files)).tree);
      const lines = interfaces.map(({ addresses, gateways, manager, name: own, usesDhcp }) =>
        [manager, own, ...(usesDhcp ? ['DHCP'] : []), ...addresses, ...gateways.map((each) => `via ${each}`)].join(' '),
      );
      assert.deepEqual(lines, expected);
    });
  }

  test('reads where names are looked up', async (t) => {
    const guest = await guestOf(t, { '/etc/resolv.conf': '# nameserver 1.1.1.1\nnameserver 192.0.2.53\nsearch x\n' });
    assert.deepEqual((await networkOf(guest.tree)).nameservers, [
      { value: '192.0.2.53', source: { path: '/etc/resolv.conf', record: 'line 2' } },
    ]);
  });
});
