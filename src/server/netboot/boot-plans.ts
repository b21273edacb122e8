import { type BootPlan, loaderFor } from '../../protocol/dhcp/boot-options.ts';
import type { DhcpClient } from '../../protocol/dhcp/client.ts';
import { parseIpv4 } from '../../protocol/dhcp/ipv4.ts';
import type { FoundLoaders } from './loaders/find-loaders.ts';
import { menuName, urlOf } from './menus/menu-names.ts';
import { initiatorName } from './menus/root-place.ts';
import { dashedMac } from './room/settings-of.ts';
import { httpOf, type ServerPlace } from './server-place.ts';
import type { Silence } from './trace/dhcp-steps.ts';

/** What DHCP tells a client to start: iPXE its script, firmware a loader, systems nothing. */
export function bootPlanFor(client: DhcpClient, place: ServerPlace, loaders: FoundLoaders): BootPlan | undefined {
  const serverAddress = parseIpv4(place.address);
  const { hardwareAddress: mac } = client;
  if (client.isIpxe) {
    return { serverAddress, fileName: urlOf(httpOf(place), menuName(mac)), initiatorName: initiatorName(mac) };
  }
  const loader = loaderOf(client, loaders);
  if (loader === undefined) return undefined;
  if (client.wants === 'http') return { serverAddress, fileName: urlOf(httpOf(place), `loader/${loader}`) };
  return { serverAddress, fileName: loader, configurationFile: `pxelinux.cfg/01-${dashedMac(mac)}` };
}

/** Why a client is told nothing of what to start; undefined where nothing is wrong. */
export function silenceFor(client: DhcpClient, loaders: FoundLoaders): Silence | undefined {
  if (client.wants === 'address' || client.isIpxe || loaderOf(client, loaders) !== undefined) return undefined;
  return { reason: 'noLoader' };
}

function loaderOf(client: DhcpClient, { http, pxe }: FoundLoaders): string | undefined {
  return client.wants === 'address' ? undefined : loaderFor(client, client.wants === 'http' ? http : pxe);
}
