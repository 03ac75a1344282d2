"""Reads a flame graph by a parser of XML: how many functions have stacks that end in `[C] rep`.

flamegraph_reader.py FILE
"""
import sys
import xml.etree.ElementTree

root = xml.etree.ElementTree.parse(sys.argv[1]).getroot()

SVG = "{http://www.w3.org/2000/svg}"
assert root.tag == SVG + "svg", root.tag
boxes = root.findall(f"{SVG}g[@class='f']")
for box in boxes:
    title = box.find(SVG + "title").text
    assert title.startswith(box.get("data-n")), title
    assert box.find(SVG + "rect") is not None
print(sum(box.get("data-n") == "[C] rep" for box in boxes))
