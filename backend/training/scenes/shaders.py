"""GLSL of the rasteriser: geometry (z and normal), ambient occlusion, colour, sky, shadow and resolve."""

GEOMETRY_VERTEX = """#version 330
uniform mat4 model, view, projection;
in vec3 in_position, in_normal;
out vec3 camera_position, camera_normal;
void main() {
    vec4 p = view * model * vec4(in_position, 1.0);
    camera_position = p.xyz;
    camera_normal = mat3(view) * mat3(model) * in_normal;
    gl_Position = projection * p;
}
"""

GEOMETRY_FRAGMENT = """#version 330
in vec3 camera_position, camera_normal;
out vec4 result;
void main() {
    vec3 n = normalize(camera_normal);
    result = vec4(dot(n, camera_position) > 0.0 ? -n : n, camera_position.z);
}
"""

SCREEN_VERTEX = """#version 330
in vec2 in_corner;
void main() { gl_Position = vec4(in_corner, 0.0, 1.0); }
"""

OCCLUSION_FRAGMENT = """#version 330
uniform sampler2D geometry;
uniform vec4 lens;      // fx, fy, cx, cy in pixels
uniform vec2 size;
uniform float radius;   // metres
out float result;
void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    vec4 here = texelFetch(geometry, pixel, 0);
    if (here.w <= 0.0) { result = 1.0; return; }
    vec3 p = vec3((vec2(pixel) - lens.zw) / lens.xy, 1.0) * here.w;
    int cell = (pixel.x & 3) + 4 * (pixel.y & 3);
    float turn = float((cell * 7) & 15) * 0.39269908;
    float blocked = 0.0;
    for (int i = 0; i < 10; i++) {
        float a = turn + 2.39996 * float(i), r = sqrt((float(i) + 0.5) / 10.0);
        float reach = clamp(radius * lens.x / here.w, 3.0, 60.0);
        ivec2 q = pixel + ivec2(round(vec2(cos(a), sin(a)) * r * reach));
        q = clamp(q, ivec2(0), ivec2(size) - 1);
        float z = texelFetch(geometry, q, 0).w;
        if (z <= 0.0) continue;
        vec3 d = vec3((vec2(q) - lens.zw) / lens.xy, 1.0) * z - p;
        float l2 = dot(d, d) + 1e-5;
        float facing = max(dot(d, here.xyz) * inversesqrt(l2) - 0.08, 0.0);
        blocked += facing * clamp(2.0 - l2 / (radius * radius) * 1.2, 0.0, 1.0);
    }
    result = clamp(1.0 - 0.17 * blocked, 0.15, 1.0);
}
"""

BLUR_FRAGMENT = """#version 330
uniform sampler2D geometry, occlusion;
uniform vec2 size;
out float result;
void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    float z = texelFetch(geometry, pixel, 0).w, sum = 0.0, weight = 1e-4;
    for (int y = -2; y < 2; y++) for (int x = -2; x < 2; x++) {
        ivec2 q = clamp(pixel + ivec2(x, y), ivec2(0), ivec2(size) - 1);
        float w = abs(texelFetch(geometry, q, 0).w - z) < 0.06 * z + 0.02 ? 1.0 : 0.0;
        sum += w * texelFetch(occlusion, q, 0).r;
        weight += w;
    }
    result = (sum + 1e-4) / weight;
}
"""

FRONT_VERTEX = """#version 330
uniform mat4 model, view, projection;
in vec3 in_position;
invariant gl_Position;
void main() {
    vec4 p = model * vec4(in_position, 1.0);
    gl_Position = projection * view * p;
}
"""

SHADOW_VERTEX = """#version 330
uniform mat4 model, light;
in vec3 in_position;
void main() { gl_Position = light * model * vec4(in_position, 1.0); }
"""

SHADOW_FRAGMENT = """#version 330
void main() {}
"""

COLOUR_VERTEX = """#version 330
uniform mat4 model, view, projection;
in vec3 in_position, in_normal;
in vec2 in_uv;
in vec3 in_tint, in_surface;
out vec3 world, normal, tint;
out vec2 uv;
invariant gl_Position;
flat out vec3 surface;  // texture layer, gloss, emission
void main() {
    vec4 p = model * vec4(in_position, 1.0);
    world = p.xyz;
    normal = mat3(model) * in_normal;
    uv = in_uv; tint = in_tint; surface = in_surface;
    gl_Position = projection * view * p;
}
"""

AIR = """
uniform vec3 eye, sky_low, sky_high, ground_light, fog_colour, sun_direction, sun_colour;
uniform float fog_density, exposure;
vec3 sky_light(vec3 d) {
    float up = d.z;
    return up > 0.0 ? mix(sky_low, sky_high, sqrt(up)) : mix(sky_low, ground_light, min(1.0, -up * 4.0));
}
"""

# llvmpipe runs both sides of every branch, so lights that a scene lacks are left out by the preprocessor.
COLOUR_FRAGMENT = (
    """#version 330
#define SUN
#define LAMP
#define BUMP
uniform sampler2DArray pictures;
uniform sampler2DShadow sun_shadow, lamp_shadow;
uniform sampler2D occlusion;
uniform mat4 sun_matrix, lamp_matrix;
uniform vec2 sun_spread, size;
uniform vec3 lamp_position, lamp_colour, ambient_low, ambient_high;
uniform vec3 point_position[4], point_colour[4];
uniform int point_count;
uniform float bump;
in vec3 world, normal, tint;
in vec2 uv;
flat in vec3 surface;
out vec4 result;
"""
    + AIR
    + """
float lit(sampler2DShadow map, vec4 p, vec2 spread) {
    vec3 q = p.xyz / p.w * 0.5 + 0.5;
    if (p.w <= 0.0 || any(lessThan(q, vec3(0.0))) || any(greaterThan(q, vec3(1.0)))) return 1.0;
    float s = texture(map, q + vec3( spread.x, 0.4 * spread.y, 0.0));
    s += texture(map, q + vec3(-0.4 * spread.x, spread.y, 0.0));
    s += texture(map, q + vec3(-spread.x, -0.4 * spread.y, 0.0));
    s += texture(map, q + vec3(0.4 * spread.x, -spread.y, 0.0));
    return 0.25 * s;
}
void main() {
    vec4 picture = texture(pictures, vec3(uv, surface.x));
    vec3 albedo = picture.rgb * picture.rgb * tint;
    vec3 view = eye - world;
    float distance = length(view);
    view /= distance;
    vec3 n = normalize(normal);
    if (dot(n, view) < 0.0) n = -n;
    vec3 flat_n = n;
#ifdef BUMP
    {
        vec3 dx = dFdx(world), dy = dFdy(world);
        vec3 rx = cross(dy, n), ry = cross(n, dx);
        float det = dot(dx, rx);
        vec3 slope = sign(det) * (dFdx(picture.a) * rx + dFdy(picture.a) * ry);
        n = normalize(abs(det) * n - min(bump, 4.0 * sqrt(abs(det))) * slope);
    }
#endif
    float gloss = surface.y, power = exp2(2.0 + 7.0 * gloss);
    float open = texture(occlusion, gl_FragCoord.xy / size).r;
    float up = n.z * 0.5 + 0.5;
    vec3 diffuse = mix(ambient_low, ambient_high, up) * open;
    vec3 shine = vec3(0.0);
#ifdef SUN
    {
        float nl = max(dot(n, sun_direction), 0.0);
        vec3 light = sun_colour * min(nl * 1e4, 1.0)
            * lit(sun_shadow, sun_matrix * vec4(world + flat_n * 0.03, 1.0), sun_spread);
        diffuse += light * nl;
        shine += light * pow(max(dot(n, normalize(view + sun_direction)), 0.0), power);
    }
#endif
#ifdef LAMP
    {
        vec3 d = lamp_position - world;
        float l2 = dot(d, d);
        d *= inversesqrt(l2);
        float nl = max(dot(n, d), 0.0);
        vec3 light = lamp_colour / (l2 + 0.3) * min(nl * 1e4, 1.0)
            * lit(lamp_shadow, lamp_matrix * vec4(world + flat_n * 0.03, 1.0), vec2(0.003));
        diffuse += light * nl;
        shine += light * pow(max(dot(n, normalize(view + d)), 0.0), power);
    }
#endif
    for (int i = 0; i < point_count; i++) {
        vec3 d = point_position[i] - world;
        float l2 = dot(d, d);
        d *= inversesqrt(l2);
        vec3 light = point_colour[i] / (l2 + 0.1) * mix(0.5, 1.0, open);
        diffuse += light * max(dot(n, d), 0.0);
        shine += light * pow(max(dot(n, normalize(view + d)), 0.0), power);
    }
    float edge = 1.0 - max(dot(n, view), 0.0);
    float mirror = gloss * (0.04 + 0.5 * edge * edge * edge * edge);
    vec3 bounce = reflect(-view, n);
    vec3 around = mix(ambient_low, ambient_high, smoothstep(-0.3, 0.5, bounce.z));
    vec3 c = albedo * (diffuse + surface.z * 4.0) + shine * gloss * (0.05 + 0.12 * gloss) * (power * 0.04 + 0.3)
        + around * mirror * open;
    c = mix(fog_colour, c, exp(-fog_density * distance));
    result = vec4(c * exposure, 1.0);
}
"""
)

SKY_FRAGMENT = (
    """#version 330
uniform sampler2DArray pictures;
uniform mat3 rays;      // pixel (x, y, 1) to world direction
uniform float cloud_layer, cloud_cover;
out vec4 result;
"""
    + AIR
    + """
void main() {
    vec3 d = normalize(rays * vec3(gl_FragCoord.xy, 1.0));
    vec3 c = sky_light(d);
    if (d.z > 0.02 && cloud_cover > 0.0) {
        float density = texture(pictures, vec3(d.xy / (d.z + 0.25) * 0.35, cloud_layer)).r;
        float cover = smoothstep(1.0 - cloud_cover, 1.25 - cloud_cover, density) * min(1.0, d.z * 4.0);
        c = mix(c, sun_colour * 0.35 + sky_low * 0.9, cover * 0.85);
    }
    float s = max(dot(d, sun_direction), 0.0);
    c += sun_colour * (0.08 * pow(s, 24.0) + 3.0 * pow(s, 2500.0));
    c = mix(fog_colour, c, exp(-fog_density * 80.0 / (0.1 + max(d.z, 0.0) * 6.0)));
    result = vec4(c * exposure, 1.0);
}
"""
)

RESOLVE_FRAGMENT = """#version 330
uniform sampler2D samples;
uniform int factor;
uniform float contrast, saturation, film;
out vec4 result;
vec3 display(vec3 c) {
    vec3 filmic = c * (2.51 * c + 0.03) / (c * (2.43 * c + 0.59) + 0.14);
    vec3 plain = 1.0 - exp(-1.1 * c);
    c = clamp(mix(plain, filmic, film), 0.0, 1.0);
    c = mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
    float grey = dot(c, vec3(0.3, 0.6, 0.1));
    c = clamp(mix(vec3(grey), c, saturation), 0.0, 1.0);
    return mix(c, c * c * (3.0 - 2.0 * c), contrast);
}
void main() {
    ivec2 first = ivec2(gl_FragCoord.xy) * factor;
    vec3 sum = vec3(0.0);
    float weight = 0.0;
    for (int y = 0; y < factor; y++) for (int x = 0; x < factor; x++) {
        vec3 c = texelFetch(samples, first + ivec2(x, y), 0).rgb;
        float w = 1.0 / (1.0 + max(c.r, max(c.g, c.b)));   // keeps highlights from aliasing
        sum += c * w;
        weight += w;
    }
    result = vec4(display(sum / weight), 1.0);
}
"""
