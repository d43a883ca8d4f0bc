"""A short way to write shader node trees: one call a node, sockets passed as values."""

from collections.abc import Sequence
from typing import Any

import bpy

Value = Any
"""What a socket takes: another node's output, a number, a vector or an RGB triple."""


class Graph:
    """The nodes of one material, with surface coordinates in metres (the UV map that `solids` writes)."""

    def __init__(self, name: str):
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()

    def node(
        self, kind: str, inputs: dict[str | int, Value] | None = None, **properties: Value
    ) -> bpy.types.Node:
        """Add ShaderNode`kind`; `inputs` by socket name or index, the rest set as properties."""
        node = self.tree.nodes.new("ShaderNode" + kind)
        for name, value in properties.items():
            setattr(node, name, value)
        for name, value in (inputs or {}).items():
            self._put(node.inputs[name], value)
        return node

    def _put(self, socket: bpy.types.NodeSocket, value: Value) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif socket.type == "RGBA" and isinstance(value, Sequence) and len(value) == 3:
            socket.default_value = (*value, 1.0)
        elif socket.type == "VECTOR" and isinstance(value, (int, float)):
            socket.default_value = (value, value, value)
        else:
            socket.default_value = value

    def surface(self, scale: float | Sequence[float] = 1.0, turn: float = 0.0, offset: float = 0.0) -> Value:
        """Coordinates on the surface in metres, times `scale`, turned by `turn` radians."""
        scale = (scale, scale, scale) if isinstance(scale, (int, float)) else tuple(scale)
        uv = self.node("TexCoord").outputs["UV"]
        inputs = {
            "Vector": uv,
            "Scale": scale,
            "Rotation": (0.0, 0.0, turn),
            "Location": (offset, offset * 0.37, offset),
        }
        return self.node("Mapping", inputs).outputs["Vector"]

    def solid(self, scale: float | Sequence[float] = 1.0, offset: float = 0.0) -> Value:
        """Coordinates in the object's own space in metres, times `scale`."""
        scale = (scale, scale, scale) if isinstance(scale, (int, float)) else tuple(scale)
        inputs = {
            "Vector": self.node("TexCoord").outputs["Object"],
            "Scale": scale,
            "Location": (offset,) * 3,
        }
        return self.node("Mapping", inputs).outputs["Vector"]

    def noise(self, vector: Value, scale: float = 1.0, detail: float = 3.0, distortion: float = 0.0) -> Value:
        inputs = {"Vector": vector, "Scale": scale, "Detail": detail, "Distortion": distortion}
        return self.node("TexNoise", inputs).outputs[0]

    def ramp(self, factor: Value, *stops: tuple[float, Sequence[float]]) -> Value:
        """A colour ramp over (position, RGB) stops."""
        node = self.node("ValToRGB", {"Fac": factor})
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, stops, strict=True):
            element.position = position
            element.color = (*colour, 1.0)
        return node.outputs["Color"]

    def mix(self, a: Value, b: Value, factor: Value = 0.5, mode: str = "MIX") -> Value:
        node = self.node("Mix", {0: factor, 6: a, 7: b}, data_type="RGBA", blend_type=mode)
        return node.outputs[2]

    def brick(
        self,
        vector: Value,
        width: float,
        height: float,
        joint: float,
        colours: Sequence[Value],
        **kwargs: float,
    ) -> Value:
        """Rows of bricks; `colours` are two brick colours and the joint's."""
        first, second, mortar = colours
        inputs = {
            "Vector": vector, "Color1": first, "Color2": second, "Mortar": mortar, "Scale": 1.0,
            "Mortar Size": joint, "Mortar Smooth": 0.3, "Bias": 0.0, "Brick Width": width,
            "Row Height": height,
        }  # fmt: skip
        node = self.node("TexBrick", inputs, **kwargs)
        return node.outputs["Color"]

    def bump(self, height: Value, strength: float = 0.3, distance: float = 0.01) -> Value:
        return self.node("Bump", {"Height": height, "Strength": strength, "Distance": distance}).outputs[
            "Normal"
        ]

    def finish(
        self,
        colour: Value,
        roughness: Value = 0.8,
        normal: Value | None = None,
        metallic: float = 0.0,
        glow: float = 0.0,
    ) -> bpy.types.Material:
        """Close the tree with a Principled surface; `glow` is the strength of its own light."""
        inputs: dict[str | int, Value] = {"Base Color": colour, "Roughness": roughness, "Metallic": metallic}
        if normal is not None:
            inputs["Normal"] = normal
        if glow:
            inputs |= {"Emission Color": colour, "Emission Strength": glow}
        shader = self.node("BsdfPrincipled", inputs)
        output = self.node("OutputMaterial")
        self.tree.links.new(shader.outputs[0], output.inputs["Surface"])
        return self.material
