import type { Inspection } from '../inspection.ts';
import type { InstalledPackage } from '../packages/installed-package.ts';
import { contentUuid, type DocumentOrigin, documentTime } from './document-origin.ts';
import { packageUrl } from './package-url.ts';

/**
 * A bill of materials in JSON: the system, and the packages that are installed on it.
 *
 * Source: CycloneDX specification 1.6, and its JSON schema.
 */
export function cycloneDxDocument(inspection: Inspection, origin: DocumentOrigin): object {
  const components = componentsOf(inspection);
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${contentUuid(JSON.stringify([origin, components]))}`,
    version: 1,
    metadata: {
      timestamp: documentTime(origin),
      tools: { components: [{ type: 'application', name: 'varve', version: origin.toolVersion }] },
      component: systemJson(inspection, origin),
    },
    components,
  };
}

function systemJson({ distribution, productName, version }: Inspection, { name }: DocumentOrigin): object {
  return {
    ...{ type: 'operating-system', 'bom-ref': 'operating-system', name: distribution?.value ?? name },
    ...(version !== undefined && { version: version.value }),
    ...(productName !== undefined && { description: productName.value }),
  };
}

/** References have to be unique, and a package may be on record twice. */
function componentsOf(inspection: Inspection): object[] {
  const counts = new Map<string, number>();
  return inspection.packages.map((each) => {
    const purl = packageUrl(each, inspection);
    const count = (counts.get(purl) ?? 0) + 1;
    counts.set(purl, count);
    return componentJson(each, purl, count === 1 ? purl : `${purl}#${count}`);
  });
}

function componentJson(each: InstalledPackage, purl: string, reference: string): object {
  const { name, fullVersion, license, source, sourcePackage, sourceVersion, summary, url, vendor } = each;
  const properties = [
    ['varve:source:file', source.path],
    ['varve:source:record', source.record],
    ['varve:package:format', each.format],
    ['varve:package:source', sourcePackage],
    ['varve:package:sourceVersion', sourceVersion],
    ['varve:package:size', each.size],
  ].filter(([, value]) => value !== undefined);
  return {
    ...{ type: 'library', 'bom-ref': reference, name, version: fullVersion },
    ...(vendor !== undefined && vendor !== '' && { publisher: vendor }),
    ...(summary !== undefined && { description: summary }),
    ...(license !== undefined && license !== '' && { licenses: [{ license: { name: license } }] }),
    purl,
    ...(url !== undefined &&
      /^https?:\/\//.test(url) &&
      URL.canParse(url) && { externalReferences: [{ type: 'website', url }] }),
    properties: properties.map(([property, value]) => ({ name: property, value: String(value) })),
  };
}
