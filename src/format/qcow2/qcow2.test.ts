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
});
