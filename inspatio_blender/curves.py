"""Where the F-curves of a datablock are: the action's own up to 4.3, those of its slot since. Main thread only."""

import bpy


def curve_lists(owner: bpy.types.ID) -> list:
    """The collections of F-curves that animate `owner` by its action; none where it has no action."""
    animation = owner.animation_data
    action = animation.action if animation is not None else None
    if action is None:
        return []
    if not hasattr(action, "layers"):
        return [action.fcurves]
    slot = animation.action_slot
    bags = [
        strip.channelbag(slot)
        for layer in action.layers
        for strip in layer.strips
        if slot is not None and strip.type == "KEYFRAME"
    ]
    return [bag.fcurves for bag in bags if bag is not None]


def find_curves(owner: bpy.types.ID) -> dict[tuple[str, int], bpy.types.FCurve]:
    """The F-curves of `owner`, by their property's path and its index."""
    return {(curve.data_path, curve.array_index): curve for curves in curve_lists(owner) for curve in curves}
