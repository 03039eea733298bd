import SSDFCore
