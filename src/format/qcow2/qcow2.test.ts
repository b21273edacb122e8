import { testImageFormat } from '../../conformance/image-format.ts';
import { qcow2Format } from './qcow2.ts';

testImageFormat(qcow2Format, {
  sizeUnit: 512,
  ways: {
    uncompressed: {},
    'clusters of 4 KiB': { clusterSize: 4096 },
    'clusters of 2 MiB': { clusterSize: 2 ** 21 },
    zstd: { compression: 'zstd' },
    deflate: { compression: 'deflate' },
  },
  creations: {
    'as it comes': {},
    'with clusters of 512 bytes': { clusterSize: 512 },
    'as version 2': { clusterSize: 4096, options: { compat: '0.10' } },
    'with extended L2 entries': { clusterSize: 2 ** 14, options: { extended_l2: 'on' } },
    'with lazy refcounts': { options: { lazy_refcounts: 'on' } },
  },
});
