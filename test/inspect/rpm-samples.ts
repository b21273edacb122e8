import { gunzipSync } from 'node:zlib';

/** Two packages, sample3 and sample1, as rpm's own code writes them into Packages.db; a third one was removed again. */
export function ndbSample(): Buffer {
  return unpacked(packedNdb);
}

/** Three packages, sample1 to sample3, as db_load of Berkeley DB 5.3 writes them into Packages. */
export function berkeleySample(): Buffer {
  return unpacked(packedBerkeley);
}

function unpacked(lines: readonly string[]): Buffer {
  return gunzipSync(Buffer.from(lines.join(''), 'base64'));
}

const packedNdb = [
  'H4sIAAAAAAACA+2YTYgcRRTHa3Y3atZEIxuNioc5ya44s1VdVV1VMRg1H2YhMYkb8TNCdVX17uB8OT27bkTBgMoeBAUVEk85eFCCUcRLCEIgIeAh6MGD',
  'XjwpGDF+oEgOifHN9BtDViN6CAr2gzc1v3qvqqurqrv51/3txg4Ctgy8BD5CLrbpeqvbq+8F55GXxoehPP0X8YILLrjgggsuuOCCCy644IILLvjf5Xvq',
  'yXQJtf+6K/tVdxIyvAvK9eBQM/QOlKvAPfhV2AzSh7+G8grwIeRTyKPI3yBfg/wtlMuxrx6fRi4jf4fHDxr5e2y/DvlHjN+F/BPGNyL/grwN+Qz2vxP5',
  'LMZ3I59DzpB/Rd6T88gIXu855F6sd9TxPPJy5BeRRzF/EflqnK+XkFcgn0ReifmfIF+L8U+RVyF/jrwax/cF8vXY/mfkNZh/BvnGPN4/vYFxjtyUx0sr',
  'kG9GfhR5PO+/9CS2vxfbLyBvQX4GeQrbD+bnIYwP5udhjA/m4zGMv4K8G+OvIT+OvB85wfG8heyR30UOyB8gp8iHkevIR5C7eP3BfM8hD+Z7Hq//Wc5j',
  'r+bxoVuQT+T9DeF+Hfsyzx+6FfkrzJ9FPoXxes4lPF4bOoq8DJ+v4/kzUVqJ/eN4Stchn8P9+UPefhj3/wge2Q3j/h+5AeNbkGeQtyLPIvfO+0obSGYb',
  '7XrghFU54WS6T+XmXCMJnTInu2ZDOc8YHdSVj71dJU+U9h6fb/S21Np9mxb6CRnZNrWLPNDM2sHV0lrwZLbbbWdrJydDnlBtdWYmOanXmnMLpNmyHTfb',
  'b7/3TdLvjzpDOQvcKRq5VMUuNkwKQWmIBKPC6MRZKULsA1c6GM6lTSBNUZEwGawavMs6LXi39X/w3ipwbxVezTqu2mk3yHmwwV3DhIwOHGL1WjK+odVo',
  'd0KWBb+5Vg/32UbIJgjGejUbazMh616o22H31Fu2n5xtsfNhRyektYUJwqu0KiqMiGpcpf0y/2W6SvHdmT+Uvf3RHyGCt11LJueyzmQ2azthMuOTpLI9',
  'KldmiGvXWmTm6VqbGJzBig9JzTYr+az+bndPb5iaKnfDQvf28lO17mx5PnT2lOut5kwZMkNWHmeSUjqB0WarXw0NOo1a03ZbnSwf11w3rWgihFZGKedV',
  'bGlirLRCRTFNubchCCe1E95DNSyg9pLHzGkRBy8TmkhvYpP3pRITmZQqZSxTgYZEc2OtTWxgTDkrWOyNYSZOYx0zL+MQMUNVLKyGhY5Cf337H6Pz58++',
  'hx8QeDQO+v3j0yeObj04/MK+Qy/LNc8mkY5F5GScahZzrlXEExUMtZHwSsPIhImlcI4wbYRysVSQyhinjHqm45Barp0L3gebGqhJbMwCdYFZ6M1G2jOT',
  'hmCUJfm+zWf8jn299+cFJuTDiY9k71sK39ZNpLDCCiussMIKu+zW07PDKMwKPVvo2ULP/r/0LAM9C75Ez7I/0bNsiZ4dW/xHepYt1bNjiwM966Tx3FGh',
  'qXORV8zrNAZZpLgMJvIWNIgEvctCcFCrmZU+0U4F+G9NRKW4lJ5loGd7/kc9y/5DehZGeCk9yy6Hnv07cnagZ2UMgjJSVgYfg5ZNFY8jwSmsiVAxSNBg',
  'jEiMSdJUS8N44mHFvIJEaSh1KkY96ySLjQcBS5VWTFiunNBScesFaFgBktUoKbwD/cgoaNGg4ALa2ihxTjt9CT17YPOB93euODly2/Y3jqx//ZHDD3qQ',
  'zC7VqfAgkL1SVgUWec54FEBNWyE5XFsJRjTnHhwkN48SykScMBsiqZJE0FRALktEpLgx1IQ0uMAD4yFNvXOwN12UXKRnVy8u1bOViY+PDfTsb3UOYHIw',
  'JgAA',
];

const packedBerkeley = [
  'H4sIAAAAAAACA+2bW4jcVx3Hz16SNjFxV5JaFR/moaab4u6e+yUGW0msCaR2Q1Ksl1TO7b87uDdnZtO0tNBAlEWiFmwhFYRQfKjEuz5YglgwlBasWMhD',
  'BM2DWrDxUotSAiaNZ+b/m2b3JIUUrEY8X/jPzPfc/mfO/z+z+X5OBiGEBlAte9NatK77YjQdN9Zla9CV2nx8DKHXETq85fzjOz5Qlw2sGKer4XS8+OWZ',
  '+/LyoqKioqKioqKioqKioqKi/46uzO4vjaCN/xx5beTVkfSqqKioqKioqKioqKioqKjof0FDF7b8srshP3VDCvqD3bQ/tDLyd18Mrsr/Z3v5/5WRcyNn',
  'r5L/r2X/v6uy/19UVFRUVFRUVFRUVFRU9J8K/t3/wb/9Bsj83YKhfsHAivw/tKLXQLc6NUAfTuX70/Pt6Uh+8Duo/m1AQG/8PqDbeeiP6XktQISufxn8',
  'evDnwL8T/J/T8zoYq+v/Ar4B/q+o/gGBBv8K9N8O/lWovwP836F+J/jXwN8F/jyMvxf8Bag/AP4i+Db418E/UPvhYTjfI+DXwoIdAb8O/BfBr4f2y+Df',
  'Aet1FPwG8C+A3wjtfwV+BOpPg+//HuPX4DfD/M6Cvwn6/wP8zdD+PPj31PW9653mOfzeun5gA/j3gf80+LF6/IHPQ/+PQf9D4HeBfwj8bujfX597ob6/',
  'Pp+E+v56fAbqHwV/AOofA38f+CfAO5jPU+AD+O+Bj+B/DL4C/zT4WfAnwXfg/P31XgLfX++DcP4ztd/0tbp+8P3gn63HG4T7ddMf6vaDW8C/BO1nwL8M',
  '9bO1733wuvXPgF8Dn69T9WdiYCOMD/MZeBf4i3B//q3uPwT3//AaKIf7f/jdUL8L/DT4PeBnwE91/Q7UtnOLs5EhMsEQQ/t6rjG/NOdiq8HQ/pnYqFus',
  '75c1fv6tCfS5gcOnDs51b6ltxz56qNegje7avR/dM99ejL5ZNWNAM53OYnvb5GSsG0wstKYnGZptzi8dQvMLtuVnev0PfxP1xsPeYEYi8wpTXynppSGC',
  'c4wj5QRzo523gkcZIlM6GsaEdamZwtwREa3qf4O1FhY69QO8t/H03sbZRLvlJ1qLc+hSUv9dpwVZ3z9S3WzTje1YmFtsxXY7hjubs/Hjdi62tyKo65bs',
  'bE7Hdudy2ZR9YHbB9hq3d9mDcaoVq+ahrYhN4Ak+ThCfkBO491w/Ej2B+1+8/S/hG3szBBNsx6LJpXZrsj1jW3GyzSbR+N20MT6N/GJzAU0/2FxEBlZw',
  'PETXtPPj9aq+oY/s27F7d6MTD3U+2Li/2ZlpHIytBxqzC/PTjdQythtjRGCMt0Lt/EKvOHVozTXnbWeh1a7ntdSpxjXiXCujlA9KWuyMFZYrKnHFgo2R',
  'e6E9DyEVpwuog2CSeM1lDMJhJ4KRph5LOUNNhZUylqiIo9PMWGudjYQobzmRwRhiZCW1JEHISInBSnKr04WmsXd9e3+MLl268H34A5I+GifCE2P7nn1m',
  'z4mhLxz77lfFzQ87qiWnXshKE8mYVpQ5FQ22lAel08y4kYJ7j4g2XHkpVGpKCMMEB6JlrCzT3scQoq1MKnFWkoh9JDaNZqkOxFQxGmVRfd/WK/6hY93v',
  'z8u+qKioqKioqOh6FcSRFX6qzv/pn1pD967I/z/4N+X/P8EJRzMesDnjAbdkPGB7xgPuyHjAzowH7Mp4wN6MB9yT8QCb8YD7Mx7wcMYDjmQ8YDnjAV/K',
  'eMDRjAc8mvGAFzMecDrjAWcyHvDbjAf8LuMB5zMecCHjAcMZDxjNeMBnMx6wlPGAhzIe8EjGA45kPGA54wFHMx7wWMYDjmU84BsZD/h2xgN+lPGAn2Q8',
  '4KcZD/hZxgNOZzzgTMYDfpPxgEbGA27JeMBtGQ+YzXjAYsYDTmU84LmMB5xZzQOGBjIesDPjAbsyHrAn4wFTGQ/Yv5IHUEQmKKI9ZrSaCdCrMAGaMYFb',
  'R98SE6A5E7h1tM8EIu8mreipoIqbQLGRnKuoU4RLQQwHpRivBFEYp/gYY+UcY0JxV2HHYlTizZgAHU/vb5xehQnQ64YJsG29OV6dCdC3hQnga2cCWEqS',
  'snswQjpjKSOqolK5FNq9TheKUReFV4FpVkUurTLcMZWeKBeMeRnqsXTlhNa4i3YC41orzjGpKpzie2W1SY/eVIESHn30hDprBMc8xfcqpuCO5UomcPwy',
  'Ezj5oP39iV/MPPfkgafWPv+V589d9J5wh7G1VoVgCCVSMqyw1poSS7AJyksqCEFYS+6dSqkfE6m59iRSHV2MwhDMuSaMROcqy4milQrcEyUxZ1Ko4Ilh',
  'bBUTGBstTKCoqKioqKjo+sz/a1b5sv9f9v/L/v//1/4/SXk/Hdn+P7lK1idZ1t+0/JayPsmz/qblftb3wgTmMdfYexoUCbqSXEbFRDQ02BT6BGaExOhT',
  'qSZWBKe9ium1NRQL/mZZn6Ss3z2uzPrkOtr/TzMEc0XWJ29H1r+W7f9+1hfSOkqVFTFIYXmlmKSc4XRNuJKGmGhSujfGVZVOMZm5kK5YUKmhMBh7Jeux',
  'lBdEmmCdxUorwi1TnmuhmA28SlmbRmWU4MFbSQjWJF36dAJtLXXea69XZv0V+//H7zz+w70bXhi+7e6vn7z98U89/YmAlfKVrniQIU1DWRUJDYwwGiuc',
  'ZiVYOrfiBGnGQjpEMIymuM+lIzZSoZzjuOKpLXGcKmYMNrGKPrJIWKyq4H26Nz11q7L+5uWS9YuKioqKioquf/0L0TYZNABgAAA=',
];
