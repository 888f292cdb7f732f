#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""java_exceptions.py HEADER FOLDER: Java's exception classes, one for each FLX_ERROR_ of the header, and Exceptions.make, which chooses by status."""
import os
import re
import sys

ONE = '''// SPDX-License-Identifier: Apache-2.0
// Made by java_exceptions.py from the C header; not to be edited.
package org.flexor;

/** Status FLX_ERROR_{name} of the library. */
public class {cls} extends FlexorException {{
  private static final long serialVersionUID = 1L;

  public {cls}(String message, String... fields) {{
    super(flexorConstants.FLX_ERROR_{name}, "{kind}", message, fields);
  }}
}}
'''
ALL = '''// SPDX-License-Identifier: Apache-2.0
// Made by java_exceptions.py from the C header; not to be edited.
package org.flexor;

final class Exceptions {{
  private Exceptions() {{}}

  static FlexorException make(int status, String kind, String message, String[] fields) {{
    switch (status) {{
{cases}
      default:
        return new FlexorException(status, kind, message, fields);
    }}
  }}
}}
'''


def exception(name):
    return "".join(part.capitalize() for part in name.split("_")) + "Exception"


def main(header, folder):
    with open(header, encoding="utf-8") as f:
        names = re.findall(r"\bFLX_ERROR_([A-Z_]+) = \d+", f.read())
    if not names:
        sys.exit("no FLX_ERROR_ in " + header)
    os.makedirs(folder, exist_ok=True)
    cases = []
    for name in names:
        cls = exception(name)
        with open(os.path.join(folder, cls + ".java"), "w", encoding="utf-8") as f:
            f.write(ONE.format(name=name, cls=cls, kind=name.lower()))
        cases.append(f"      case flexorConstants.FLX_ERROR_{name}:\n        return new {cls}(message, fields);")
    with open(os.path.join(folder, "Exceptions.java"), "w", encoding="utf-8") as f:
        f.write(ALL.format(cases="\n".join(cases)))
    with open(os.path.join(folder, "sources.txt"), "w", encoding="utf-8") as f:
        f.writelines(f'"{os.path.join(folder, n + ".java")}"\n' for n in ["Exceptions"] + [exception(n) for n in names])


if __name__ == "__main__":
    main(*sys.argv[1:])
